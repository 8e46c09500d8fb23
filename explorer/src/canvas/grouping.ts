/** Groups of nodes: by domain, product or namespace; and which of them a picture needs that would be too large without. Pure. */
import type { Grouping, Knowledge, LineageNode, Ref, View } from "./model";

/** From here on a picture is grouped by itself: more boxes than this no reader tells apart. */
export const MOST_UNGROUPED = 5000;
const BY_ITSELF = ["domain", "product", "namespace"] as const;
/** A grouping that leaves out more than this share of the nodes is none. */
const LEAST_SHARE = 0.9;

export function findGroup(node: LineageNode, grouping: Grouping): Ref | null {
  if (grouping === "domain") return node.domain;
  if (grouping === "product") return node.product;
  return grouping === "namespace" ? findNamespace(node) : null;
}

/** What stands before the name: the database and schema of a table, the bucket of a file. */
function findNamespace({ name, qualifiedName, parent }: LineageNode): Ref | null {
  const own = parent ? parent.name : name;
  const whole = parent ? qualifiedName.slice(0, Math.max(0, qualifiedName.length - name.length - 1)) : qualifiedName;
  const last = own.split(/[./]/).at(-1)!;
  const before = whole.endsWith(last) ? whole.slice(0, whole.length - last.length).replace(/[/.:]+$/, "") : "";
  return before === "" ? null : { id: `namespace:${before}`, name: before };
}

export function isClosed(view: View, group: string): boolean {
  return view.closed.has("*") !== view.closed.has(group);
}

/** The view with `auto` decided: too many nodes are shown by the first grouping that has nearly all of them, its groups closed. */
export function resolveGrouping(view: View, known: Knowledge): View {
  if (view.grouping !== "auto") return view;
  const nodes = [...known.nodes.values()].filter((node) => view.granularity === "COLUMN" || !node.parent);
  const cards = view.granularity === "COLUMN" ? new Set(nodes.map((node) => node.parent?.id ?? node.id)).size : nodes.length;
  if (cards <= MOST_UNGROUPED) return { ...view, grouping: "none" };
  const share = (grouping: Grouping) => nodes.filter((node) => findGroup(node, grouping)).length / nodes.length;
  const shares = BY_ITSELF.map((grouping) => [grouping, share(grouping)] as const);
  const best = shares.find(([, covered]) => covered >= LEAST_SHARE) ?? shares.reduce((a, b) => (b[1] > a[1] ? b : a));
  return { ...view, grouping: best[0], closed: new Set(["*"]) };
}
