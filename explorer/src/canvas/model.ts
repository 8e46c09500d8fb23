/**
 * What is known of the lineage, and which part of it is in the picture. Pure: a new answer makes a new value; nothing is changed in place.
 */
import { findGroup, isClosed } from "./grouping";
import { finish, STEP_ITEMS, type Steps } from "./slices";

export type Reach = "DIRECT" | "INDIRECT" | "POSSIBLE";
export type Granularity = "DOMAIN" | "PRODUCT" | "DATASET" | "COLUMN";
export type Side = "up" | "down";
/** `auto`: nothing, unless there is more than a picture can show. */
export type Grouping = "auto" | "none" | "domain" | "product" | "namespace";

export const REACHES: readonly Reach[] = ["DIRECT", "INDIRECT", "POSSIBLE"];
export const GRANULARITIES: readonly Granularity[] = ["DOMAIN", "PRODUCT", "DATASET", "COLUMN"];

export interface Ref {
  id: string;
  name: string;
}

export interface HopCount {
  direct: number;
}

export interface CheckCounts {
  passed: number;
  failed: number;
  other: number;
}

export interface LineageNode {
  id: string;
  kind: string;
  name: string;
  qualifiedName: string;
  /** The dataset of a column. */
  parent: Ref | null;
  position: number | null;
  dataType: string | null;
  domain: Ref | null;
  product: Ref | null;
  owners: Ref[];
  reach: Reach;
  masked: boolean;
  start: boolean;
  upstream: HopCount | null;
  downstream: HopCount | null;
  columns: number | null;
  checks: CheckCounts | null;
  lastObserved: string | null;
  /** From a compact answer: owners, columns, checks, counts of neighbours and times are not known yet. */
  brief?: boolean;
}

/** A job or a consumer: data does not flow through its box, it says who moves or uses the data. */
export function isUser(node: { kind: string }): boolean {
  return node.kind === "JOB" || node.kind === "CONSUMER";
}

export interface LineageEdge {
  from: string;
  to: string;
  reach: Reach;
  type: string | null;
  subtype: string;
  masking: boolean;
  count: number;
  jobs: Ref[];
  stale: boolean;
  provisional: boolean;
  /** Not 0: it leads through at least so many assets that the caller may not see, and represents no flow. */
  hidden?: number;
  /** From a compact answer: type and jobs are not known. */
  brief?: boolean;
}

export interface Answer {
  nodes: LineageNode[];
  edges: LineageEdge[];
}

/** All nodes and edges of the answers so far. */
export interface Knowledge {
  nodes: ReadonlyMap<string, LineageNode>;
  edges: ReadonlyMap<string, LineageEdge>;
  /** Edges that begin or end at a node, by side. */
  down: ReadonlyMap<string, readonly LineageEdge[]>;
  up: ReadonlyMap<string, readonly LineageEdge[]>;
}

export const NOTHING: Knowledge = { nodes: new Map(), edges: new Map(), down: new Map(), up: new Map() };

export function nameEdge(edge: { from: string; to: string }): string {
  return `${edge.from} ${edge.to}`;
}

function chooseWeaker(a: Reach, b: Reach): Reach {
  return REACHES.indexOf(a) > REACHES.indexOf(b) ? a : b;
}

/** Adds an answer. `via`: the node that was expanded: what lies behind it is reached no better than it is. */
export function mergeAnswer(known: Knowledge, answer: Answer, via?: string): Knowledge {
  return finish(stepMerge(known, answer, via));
}

export function* stepMerge(known: Knowledge, answer: Answer, via?: string): Steps<Knowledge> {
  const nodes = new Map(known.nodes);
  const behind = via === undefined ? undefined : known.nodes.get(via);
  let step = 0;
  for (const node of answer.nodes) {
    if (++step % STEP_ITEMS === 0) yield;
    const old = nodes.get(node.id);
    const reach = behind ? chooseWeaker(behind.reach, node.reach) : node.reach;
    const masked = node.masked || (behind?.masked ?? false);
    if (!old) {
      nodes.set(node.id, { ...node, reach, masked, start: node.start && !behind });
      continue;
    }
    const fuller = (node.brief && !old.brief) || (behind && (node.brief || !old.brief)) ? old : node;
    if (behind) nodes.set(node.id, { ...fuller, reach: old.reach, masked: old.masked, start: old.start });
    else {
      const better = REACHES.indexOf(reach) < REACHES.indexOf(old.reach);
      nodes.set(node.id, { ...fuller, reach: better ? reach : old.reach, masked: old.masked && masked, start: old.start || node.start });
    }
  }
  if (answer.edges.length === 0) return { ...known, nodes };
  const edges = new Map(known.edges);
  for (const edge of answer.edges) {
    if (++step % STEP_ITEMS === 0) yield;
    const name = nameEdge(edge);
    if (nodes.has(edge.from) && nodes.has(edge.to) && !(edge.brief && edges.has(name))) edges.set(name, edge);
  }
  const down = new Map<string, LineageEdge[]>();
  const up = new Map<string, LineageEdge[]>();
  for (const edge of edges.values()) {
    if (++step % STEP_ITEMS === 0) yield;
    addTo(down, edge.from, edge);
    addTo(up, edge.to, edge);
  }
  return { nodes, edges, down, up };
}

function addTo<K, V>(groups: Map<K, V[]>, key: K, value: V): void {
  const group = groups.get(key);
  if (group) group.push(value);
  else groups.set(key, [value]);
}

/** What the reader asked to see. All of it is in the address. */
export interface View {
  granularity: Granularity;
  /** Hops that are open from the start, in both directions or in one. */
  depth: number;
  sides: readonly Side[];
  /** Hops opened by hand, `id:up` or `id:down`; and hops within the depth that were closed by hand. */
  open: ReadonlySet<string>;
  shut: ReadonlySet<string>;
  /** Datasets whose columns are shown. */
  columns: ReadonlySet<string>;
  /** What the names of a card's columns must contain to be shown, by card. */
  filters: ReadonlyMap<string, string>;
  reach: ReadonlySet<Reach>;
  grouping: Grouping;
  /** Groups that are one closed box; with `*` among them: all but these. */
  closed: ReadonlySet<string>;
}

export const FIRST_VIEW: View = {
  granularity: "DATASET",
  depth: 1,
  sides: ["up", "down"],
  open: new Set(),
  shut: new Set(),
  columns: new Set(),
  filters: new Map(),
  reach: new Set(REACHES),
  grouping: "auto",
  closed: new Set(),
};

export interface Row {
  id: string;
  name: string;
  dataType: string | null;
}

/** A box of the picture: an asset, a dataset with rows for its columns, or a closed group. */
export interface Card {
  id: string;
  node: LineageNode;
  /** Signed distance from the focus; negative: upstream. */
  hop: number;
  rows: Row[];
  /** Columns that are rows, or would be without the card's filter. */
  allRows: number;
  /** Columns of the dataset that are not shown as rows. */
  moreRows: number;
  /** Neighbours that are not in the picture; null: their number is not known. */
  moreUp: number | null;
  moreDown: number | null;
  openUp: boolean;
  openDown: boolean;
  group: Ref | null;
  /** The members of a closed group. */
  members: LineageNode[];
}

/** A line of the picture, between cards or rows of them. It can stand for several edges. */
export interface Line {
  id: string;
  from: number;
  to: number;
  fromRow: number;
  toRow: number;
  reach: Reach;
  masking: boolean;
  stale: boolean;
  provisional: boolean;
  /** Thinned out by the reach filter. */
  faint: boolean;
  edges: LineageEdge[];
  /** What became of it since an earlier time: flows were added to it, or removed from it, or both; or it is gone. */
  change?: "added" | "fewer" | "both" | "removed";
}

export interface Picture {
  cards: Card[];
  lines: Line[];
  /** The cards by the ids of all that they show: their own, their rows' and their members'. */
  cardOf: ReadonlyMap<string, number>;
  /** Edges between what is shown, by reach: what the filter would thin out. */
  byReach: Record<Reach, number>;
  /** Edges between a dataset and its own columns, which are not drawn. */
  within: number;
  /** Nodes that are known but not shown, because their hop is closed. */
  hidden: number;
  /** Nodes that are shown: cards, rows and members. */
  shown: number;
}

/** The node that stands for the dataset of columns. */
function makeParent(parent: Ref, columns: readonly LineageNode[]): LineageNode {
  const first = columns[0]!;
  const best = columns.reduce((a, b) => (REACHES.indexOf(b.reach) < REACHES.indexOf(a.reach) ? b : a));
  return {
    ...first,
    id: parent.id,
    kind: "DATASET",
    name: parent.name,
    qualifiedName: first.qualifiedName.slice(0, Math.max(0, first.qualifiedName.length - first.name.length - 1)) || parent.name,
    parent: null,
    position: null,
    dataType: null,
    reach: best.reach,
    masked: columns.every((column) => column.masked),
    start: columns.some((column) => column.start),
    upstream: null,
    downstream: null,
    columns: null,
    checks: null,
  };
}

interface Shown {
  hops: Map<string, number>;
  openUp: Set<string>;
  openDown: Set<string>;
}

/** The nodes that are reached from the focus through open hops, with their signed distance. */
function* collectShown(known: Knowledge, view: View): Steps<Shown> {
  let step = 0;
  const hops = new Map<string, number>();
  const openUp = new Set<string>();
  const openDown = new Set<string>();
  const atColumns = view.granularity === "COLUMN";
  const queue: string[] = [];
  const cardOf = (node: LineageNode) => (atColumns && node.parent ? node.parent.id : node.id);
  const members = new Map<string, string[]>();
  if (atColumns) for (const node of known.nodes.values()) addTo(members, cardOf(node), node.id);
  // A filter reaches a dataset, and with it every column of its own, without an edge between the two: what is known of a card is shown with it.
  const show = (id: string, hop: number) => {
    for (const one of members.get(cardOf(known.nodes.get(id)!)) ?? [id])
      if (!hops.has(one)) {
        hops.set(one, hop);
        queue.push(one);
      }
  };
  for (const node of known.nodes.values()) if (node.start && (atColumns || !node.parent)) show(node.id, 0);
  for (const id of queue) {
    if (++step % STEP_ITEMS === 0) yield;
    const node = known.nodes.get(id)!;
    const hop = hops.get(id)!;
    const card = cardOf(node);
    for (const side of ["up", "down"] as const) {
      const key = `${card}:${side}`;
      const sign = side === "up" ? -1 : 1;
      const within = Math.abs(hop) < view.depth && hop * sign >= 0 && view.sides.includes(side) && !view.shut.has(key);
      if (!within && !view.open.has(key)) continue;
      (side === "up" ? openUp : openDown).add(card);
      for (const edge of (side === "up" ? known.up : known.down).get(id) ?? []) {
        const other = side === "up" ? edge.from : edge.to;
        if (!hops.has(other) && (atColumns || !known.nodes.get(other)?.parent)) show(other, hop + sign);
      }
    }
  }
  return { hops, openUp, openDown };
}

const GROUP_KINDS: Record<Grouping, string> = { auto: "", none: "", domain: "DOMAIN", product: "DATA_PRODUCT", namespace: "NAMESPACE" };

/** What is in the picture, and how much is not. A pinned column stays, whatever the filter of its card. */
export function buildPicture(known: Knowledge, view: View, pin: string | null = null): Picture {
  return finish(stepPicture(known, view, pin));
}

export function* stepPicture(known: Knowledge, view: View, pin: string | null): Steps<Picture> {
  const shown = yield* collectShown(known, view);
  const cards: Card[] = [];
  const cardOf = new Map<string, number>();
  const rowOf = new Map<string, number>();
  const add = (card: Card) => {
    cardOf.set(card.id, cards.length);
    cards.push(card);
  };
  const byCard = new Map<string, LineageNode[]>();
  for (const id of shown.hops.keys()) {
    const node = known.nodes.get(id)!;
    addTo(byCard, view.granularity === "COLUMN" && node.parent ? node.parent.id : id, node);
  }
  let step = 0;
  for (const [id, nodes] of byCard) {
    if (++step % STEP_ITEMS === 0) yield;
    const inner = view.granularity === "COLUMN" ? nodes.filter((one) => one.parent) : [];
    const node = nodes.find((one) => one.id === id) ?? makeParent(inner[0]!.parent!, inner);
    const hops = nodes.map((one) => shown.hops.get(one.id)!);
    const hop = hops.reduce((a, b) => (Math.abs(b) < Math.abs(a) ? b : a));
    const group = findGroup(node, view.grouping);
    if (group && isClosed(view, group.id)) {
      const name = `group:${group.id}`;
      if (!cardOf.has(name)) add(makeGroupCard(name, group, view.grouping, node, hop));
      const card = cards[cardOf.get(name)!]!;
      card.members.push(node);
      if (Math.abs(hop) < Math.abs(card.hop)) card.hop = hop;
      for (const one of [node, ...nodes]) cardOf.set(one.id, cardOf.get(name)!);
      continue;
    }
    const columns = inner.length > 0 ? inner : view.columns.has(id) ? listColumns(known, id) : [];
    const wanted = view.filters.get(id)?.toLowerCase() ?? "";
    const rows = columns
      .filter((row) => row.id === pin || row.name.toLowerCase().includes(wanted))
      .sort((a, b) => (a.position ?? 1e9) - (b.position ?? 1e9) || (a.name < b.name ? -1 : 1));
    add({
      id,
      node,
      hop,
      rows: rows.map((row) => ({ id: row.id, name: row.name, dataType: row.dataType })),
      allRows: columns.length,
      moreRows: Math.max(node.columns ?? 0, columns.length) - rows.length,
      moreUp: countHidden(known, shown, id, nodes, "up", view.granularity === "COLUMN"),
      moreDown: countHidden(known, shown, id, nodes, "down", view.granularity === "COLUMN"),
      openUp: shown.openUp.has(id),
      openDown: shown.openDown.has(id),
      group,
      members: [],
    });
    rows.forEach((row, i) => {
      cardOf.set(row.id, cards.length - 1);
      rowOf.set(row.id, i);
    });
  }
  const { lines, byReach, within } = yield* collectLines(known, view, cards, cardOf, rowOf);
  const countable = [...known.nodes.values()].filter((node) => view.granularity === "COLUMN" || !node.parent);
  return { cards, lines, cardOf, byReach, within, hidden: countable.length - shown.hops.size, shown: shown.hops.size };
}

function makeGroupCard(id: string, group: Ref, grouping: Grouping, node: LineageNode, hop: number): Card {
  return {
    id,
    node: {
      ...node,
      ...{ id, name: group.name, qualifiedName: group.name, kind: GROUP_KINDS[grouping] },
      ...{ parent: null, columns: null, checks: null, upstream: null, downstream: null },
    },
    ...{ hop, rows: [], allRows: 0, moreRows: 0, moreUp: 0, moreDown: 0, openUp: true, openDown: true, group, members: [] },
  };
}

function listColumns(known: Knowledge, dataset: string): LineageNode[] {
  return [...known.nodes.values()].filter((node) => node.parent?.id === dataset);
}

/** From here on an answer of one hop may be cut off by the limit of nodes. */
const MOST_NEIGHBOURS = 900;

/**
 * How many neighbours of a card are not shown; null: unknown. Of an open hop of columns all is there: some of it is reached with
 * its dataset, by no edge of its own. Of a closed one it is the most that one of its columns has, as several may share neighbours.
 */
function countHidden(
  known: Knowledge,
  shown: Shown,
  card: string,
  nodes: readonly LineageNode[],
  side: Side,
  atColumns: boolean,
): number | null {
  const open = (side === "up" ? shown.openUp : shown.openDown).has(card);
  const missing = new Set<string>();
  let most = 0;
  for (const node of nodes) {
    let seen = 0;
    // Between two nodes there is one edge, so each other end comes once.
    for (const edge of known[side].get(node.id) ?? []) {
      const other = side === "up" ? edge.from : edge.to;
      if (shown.hops.has(other)) seen++;
      else if (!known.nodes.get(other)?.parent || node.parent) missing.add(other);
    }
    const count = side === "up" ? node.upstream : node.downstream;
    if (!count && !open && missing.size === 0) return null;
    if (count && !(open && atColumns && count.direct < MOST_NEIGHBOURS)) most = Math.max(most, count.direct - seen);
  }
  return Math.max(missing.size, most);
}

function* collectLines(
  known: Knowledge,
  view: View,
  cards: readonly Card[],
  cardOf: ReadonlyMap<string, number>,
  rowOf: ReadonlyMap<string, number>,
): Steps<{ lines: Line[]; byReach: Record<Reach, number>; within: number }> {
  const lines = new Map<string, Line>();
  const byReach: Record<Reach, number> = { DIRECT: 0, INDIRECT: 0, POSSIBLE: 0 };
  let within = 0;
  const detailed = new Set<string>(); // pairs of cards between which columns are linked
  let step = 0;
  for (const edge of known.edges.values()) {
    if (++step % STEP_ITEMS === 0) yield;
    const source = known.nodes.get(edge.from)!;
    const target = known.nodes.get(edge.to)!;
    const ofColumns = source.parent !== null && target.parent !== null;
    if (ofColumns && view.granularity !== "COLUMN" && !view.columns.has(source.parent!.id) && !view.columns.has(target.parent!.id))
      continue;
    const from = cardOf.get(edge.from) ?? (source.parent ? cardOf.get(source.parent.id) : undefined);
    const to = cardOf.get(edge.to) ?? (target.parent ? cardOf.get(target.parent.id) : undefined);
    if (from === undefined || to === undefined) continue;
    if (from === to && cards[from]!.members.length > 0) continue;
    const fromRow = rowOf.get(edge.from) ?? -1;
    const toRow = rowOf.get(edge.to) ?? -1;
    if (from === to && edge.from !== edge.to && (fromRow < 0 || toRow < 0)) {
      within++;
      continue;
    }
    if (ofColumns) detailed.add(`${from} ${to}`);
    byReach[edge.reach]++;
    const id = `${from}.${fromRow} ${to}.${toRow} ${ofColumns ? "c" : "d"}`;
    const line = lines.get(id);
    if (!line)
      lines.set(id, {
        ...{ id, from, to, fromRow, toRow, reach: edge.reach, masking: edge.masking, stale: edge.stale, provisional: edge.provisional },
        ...{ faint: !view.reach.has(edge.reach), edges: [edge] },
      });
    else {
      line.edges.push(edge);
      if (REACHES.indexOf(edge.reach) < REACHES.indexOf(line.reach)) line.reach = edge.reach;
      line.masking &&= edge.masking;
      line.stale &&= edge.stale;
      line.provisional &&= edge.provisional;
      line.faint &&= !view.reach.has(edge.reach);
    }
  }
  const kept = [...lines.values()].filter(
    (line) => line.id.endsWith("c") || view.granularity === "COLUMN" || !detailed.has(`${line.from} ${line.to}`),
  );
  for (const line of kept) line.id = `${endName(cards, line.from, line.fromRow)} ${endName(cards, line.to, line.toRow)}`;
  return { lines: kept, byReach, within };
}

/** Whether a line is there only because data flows through what the caller may not see. */
export function isVeiled(line: Line): boolean {
  return line.edges.length > 0 && line.edges.every((edge) => (edge.hidden ?? 0) > 0);
}

function endName(cards: readonly Card[], card: number, row: number): string {
  return row < 0 ? cards[card]!.id : cards[card]!.rows[row]!.id;
}

/** Cards and lines that are up or down of an end, through the picture; used until the server's cone is there. */
export function collectCone(known: Knowledge, of: string): Set<string> {
  const cone = new Set([of]);
  for (const side of ["up", "down"] as const) {
    const queue = [of];
    for (const id of queue)
      for (const edge of known[side].get(id) ?? []) {
        const other = side === "up" ? edge.from : edge.to;
        if (cone.has(other)) continue;
        cone.add(other);
        queue.push(other);
      }
  }
  return cone;
}

/** The cards whose names contain the text, in the order of the picture. */
export function findCards(picture: Picture, text: string): string[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return [];
  const matches = (name: string) => name.toLowerCase().includes(wanted);
  return picture.cards
    .filter((card) => matches(card.node.qualifiedName) || matches(card.node.name) || card.rows.some((row) => matches(row.name)))
    .map((card) => card.id);
}
