/** Answers of the server as values of the model. Pure. */
import type { PictureAnswer } from "../queries/picture";
import type { Answer, LineageEdge, LineageNode } from "./model";

type Part = NonNullable<PictureAnswer["upstream"]>;

/** Both directions as one answer; what is in both is known by its nearer distance. */
export function readAnswer(answer: PictureAnswer): Answer {
  const parts = [answer.upstream, answer.downstream].filter((part) => part !== undefined);
  return { nodes: parts.flatMap((part) => part.nodes.map(readNode)), edges: parts.flatMap((part) => part.edges.map(readEdge)) };
}

function readNode({ asset, reach, masked, start, upstream, downstream }: Part["nodes"][number]): LineageNode {
  const owners = new Map(asset.owners.map(({ owner }) => [owner.id, { id: owner.id, name: owner.name }]));
  const node: LineageNode = {
    ...{
      id: asset.id,
      kind: asset.kind,
      name: asset.name,
      qualifiedName: asset.qualifiedName,
      parent: null,
      position: null,
      dataType: null,
    },
    ...{ domain: asset.domain, product: asset.product, owners: [...owners.values()], reach, masked, start },
    ...{ upstream, downstream, columns: null, checks: null, lastObserved: asset.lastObserved },
  };
  if (asset.__typename === "Dataset") {
    const { passed, failed, warned, errors, skipped, notRun } = asset.qualityCounts;
    node.columns = asset.columns.totalCount;
    node.checks = { passed, failed: failed + errors, other: warned + skipped + notRun };
  } else if (asset.__typename === "Column") {
    node.parent = { id: asset.dataset.id, name: asset.dataset.name };
    node.position = asset.position;
    node.dataType = asset.dataType;
  }
  return node;
}

function readEdge(edge: Part["edges"][number]): LineageEdge {
  const { reach, type, subtype, masking, count, jobs, stale, provisional } = edge;
  return { from: edge.from.id, to: edge.to.id, reach, type, subtype, masking, count, jobs, stale, provisional };
}
