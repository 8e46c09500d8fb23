/** Nodes and edges for tests, with what a test does not care about filled in. */
import type { LineageEdge, LineageNode, Reach } from "./model";

export function makeNode(id: string, more: Partial<LineageNode> = {}): LineageNode {
  return {
    ...{
      id,
      kind: "DATASET",
      name: id,
      qualifiedName: `db/${id}`,
      parent: null,
      position: null,
      dataType: null,
      domain: null,
      product: null,
    },
    ...{
      owners: [],
      reach: "DIRECT",
      masked: false,
      start: false,
      upstream: null,
      downstream: null,
      columns: null,
      checks: null,
      lastObserved: null,
    },
    ...more,
  };
}

export function makeEdge(from: string, to: string, more: Partial<LineageEdge> = {}): LineageEdge {
  return {
    ...{ from, to, reach: "DIRECT" as Reach, type: null, subtype: "", masking: false, count: 1 },
    ...{ jobs: [], stale: false, provisional: false },
    ...more,
  };
}
