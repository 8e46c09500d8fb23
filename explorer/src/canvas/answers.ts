/** Answers of the server as values of the model. Pure. */
import type { CompactPictureAnswer, PictureAnswer } from "../queries/picture";
import { type Answer, type LineageEdge, type LineageNode, REACHES } from "./model";

type Part = NonNullable<PictureAnswer["upstream"]>;

/** Both directions as one answer; what is in both is known by its nearer distance. */
export function readAnswer(answer: PictureAnswer): Answer {
  const parts = [answer.upstream, answer.downstream].filter((part) => part !== undefined);
  return { nodes: parts.flatMap((part) => part.nodes.map(readNode)), edges: parts.flatMap((part) => part.edges.map(readEdge)) };
}

type Compact = NonNullable<CompactPictureAnswer["upstream"]>;
const [REACH_BITS, MASKING, STALE, PROVISIONAL] = [3, 4, 8, 16];

/** The same from columns of values: names and places of up to ten thousand nodes, without owners, checks and counts. */
export function readCompact(answer: CompactPictureAnswer): Answer {
  const parts = [answer.upstream, answer.downstream].filter((part) => part !== undefined);
  return { nodes: parts.flatMap(readCompactNodes), edges: parts.flatMap(readCompactEdges) };
}

function readCompactNodes(part: Compact): LineageNode[] {
  return part.ids.map((id, i) => ({
    id,
    kind: part.kinds[i]!,
    name: part.names[i]!,
    qualifiedName: part.qualifiedNames[i]!,
    parent: part.datasets[part.dataset[i]!] ?? null,
    ...{ position: null, dataType: null, owners: [], upstream: null, downstream: null, columns: null, checks: null, lastObserved: null },
    domain: part.domains[part.domain[i]!] ?? null,
    product: part.products[part.product[i]!] ?? null,
    ...{ reach: part.reach[i]!, masked: part.masked[i]!, start: part.start[i]!, brief: true },
  }));
}

function readCompactEdges({ ids, edges }: Compact): LineageEdge[] {
  return edges.from.map((from, i) => {
    const bits = edges.bits[i]!;
    return {
      ...{ from: ids[from]!, to: ids[edges.to[i]!]!, reach: REACHES[bits & REACH_BITS]!, type: null, subtype: "" },
      ...{ masking: (bits & MASKING) !== 0, stale: (bits & STALE) !== 0, provisional: (bits & PROVISIONAL) !== 0 },
      ...{ count: edges.count[i]!, hidden: edges.hidden[i]!, jobs: [], brief: true },
    };
  });
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
    ...{ upstream, downstream, columns: null, checks: null, lastObserved: asset.lastObserved ?? null },
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
  const { reach, type, subtype, masking, count, hidden, jobs, stale, provisional } = edge;
  return { from: edge.from.id, to: edge.to.id, reach, type, subtype, masking, count, hidden, jobs, stale, provisional };
}
