/** The picture as a tree, for the keyboard and for screen readers: the focus, then by hops what lies upstream and downstream. Pure. */
import { showName } from "../names";
import type { Mark } from "./marks";
import { type Card, isUser, type Picture } from "./model";
import { finish, STEP_ITEMS, type Steps } from "./slices";

/** A row of the tree. Its texts are made when they are read: of thousands of rows some forty are in the document. */
export class OutlineRow {
  constructor(
    readonly picture: Picture,
    private readonly marks: ReadonlyMap<string, Mark>,
    readonly card: number,
    /** Index of the column among the rows of the card, or -1. */
    readonly row: number,
    readonly level: number,
    readonly position: number,
    readonly siblings: number,
    readonly hasChildren: boolean,
  ) {}

  private get column() {
    return this.row < 0 ? null : this.picture.cards[this.card]!.rows[this.row]!;
  }

  get id(): string {
    return (this.column ?? this.picture.cards[this.card]!).id;
  }

  /** What is seen of it. */
  get name(): string {
    return showName((this.column ?? this.picture.cards[this.card]!.node).name);
  }

  /** What a screen reader says of it. */
  get label(): string {
    const mark = this.marks.get(this.id);
    if (!this.column) return describeCard(this.picture.cards[this.card]!, mark);
    const type = this.column.dataType ? `, ${showName(this.column.dataType)}` : "";
    return `${this.name}, column${type}${mark ? `, ${mark.label}` : ""}`;
  }
}

/** The rows from top to bottom. Each card is once in it: below the nearest card that leads to it. */
export function buildOutline(picture: Picture, marks: ReadonlyMap<string, Mark>): OutlineRow[] {
  return finish(stepOutline(picture, marks));
}

export function* stepOutline(picture: Picture, marks: ReadonlyMap<string, Mark>): Steps<OutlineRow[]> {
  let step = 0;
  const children = new Map<number, number[]>();
  const roots: number[] = [];
  const seen = new Set<number>();
  const next = new Map<number, number[]>();
  const tie = (a: number, b: number) => {
    const list = next.get(a);
    if (list) list.push(b);
    else next.set(a, [b]);
  };
  for (const line of picture.lines) {
    if (++step % STEP_ITEMS === 0) yield;
    tie(line.from, line.to);
    tie(line.to, line.from);
  }
  const inOrder = picture.cards.map((_, i) => i).sort((a, b) => Math.abs(picture.cards[a]!.hop) - Math.abs(picture.cards[b]!.hop) || a - b);
  const walk = function* (queue: number[]) {
    for (const card of queue) {
      if (++step % STEP_ITEMS === 0) yield;
      const hop = picture.cards[card]!.hop;
      for (const other of next.get(card) ?? []) {
        if (seen.has(other)) continue;
        const there = picture.cards[other]!.hop;
        if (Math.abs(there) < Math.abs(hop) && there !== hop) continue;
        seen.add(other);
        const list = children.get(card);
        if (list) list.push(other);
        else children.set(card, [other]);
        queue.push(other);
      }
    }
  };
  const starts = inOrder.filter((card) => picture.cards[card]!.hop === 0);
  for (const card of starts) {
    seen.add(card);
    roots.push(card);
  }
  yield* walk(starts);
  for (const card of inOrder) {
    if (seen.has(card)) continue;
    seen.add(card);
    roots.push(card);
    yield* walk([card]);
  }
  const rows: OutlineRow[] = [];
  const push = function* (cards: readonly number[], level: number) {
    const stack: [card: number, level: number, position: number, siblings: number][] = [];
    const add = (list: readonly number[], at: number, before: number) => {
      for (let i = list.length - 1; i >= 0; i--) stack.push([list[i]!, at, i + 1 + before, list.length + before]);
    };
    add(cards, level, 0);
    while (stack.length > 0) {
      if (++step % STEP_ITEMS === 0) yield;
      const [index, at, position, siblings] = stack.pop()!;
      const card = picture.cards[index]!;
      const below = (children.get(index) ?? []).sort((a, b) => picture.cards[a]!.hop - picture.cards[b]!.hop);
      rows.push(new OutlineRow(picture, marks, index, -1, at, position, siblings, below.length + card.rows.length > 0));
      card.rows.forEach((_, i) => {
        rows.push(new OutlineRow(picture, marks, index, i, at + 1, i + 1, card.rows.length + below.length, false));
      });
      add(below, at + 1, card.rows.length);
    }
  };
  yield* push(roots, 1);
  return rows;
}

/** The rows without those below a folded one. */
export function foldRows(rows: readonly OutlineRow[], folded: ReadonlySet<string>): readonly OutlineRow[] {
  if (folded.size === 0) return rows;
  let below = Number.POSITIVE_INFINITY;
  return rows.filter((row) => {
    if (row.level > below) return false;
    below = folded.has(row.id) && row.hasChildren ? row.level : Number.POSITIVE_INFINITY;
    return true;
  });
}

const KINDS: Record<string, string> = {
  DATASET: "dataset",
  COLUMN: "column",
  DATA_PRODUCT: "product",
  DOMAIN: "domain",
  NAMESPACE: "namespace",
  JOB: "job",
  CONSUMER: "consumer",
};

/** What a screen reader says of a card: its name, kind, distance, how it is reached, owner, mark, and what is not shown. */
export function describeCard(card: Card, mark?: Mark): string {
  const { node, hop } = card;
  if (isUser(node)) {
    const owners = node.owners.map((owner) => showName(owner.name)).join(" and ");
    return [
      showName(node.name),
      KINDS[node.kind],
      node.brief ? "owner not loaded" : owners ? `owner ${owners}` : "no owner",
      mark ? showName(mark.label) : "",
    ]
      .filter(Boolean)
      .join(", ");
  }
  const hops = Math.abs(hop) === 1 ? "1 hop" : `${Math.abs(hop)} hops`;
  const parts = [
    showName(node.name),
    KINDS[node.kind] ?? node.kind.toLowerCase(),
    hop === 0 ? "in the focus" : `${hops} ${hop < 0 ? "upstream" : "downstream"}`,
  ];
  if (card.members.length > 0) parts.push(`${card.members.length} inside`);
  if (node.reach !== "DIRECT") parts.push(node.reach.toLowerCase());
  if (node.masked) parts.push("masked on every path");
  if (node.brief) parts.push("owner not loaded");
  else if (card.members.length === 0) {
    const owners = node.owners.map((owner) => showName(owner.name));
    parts.push(owners.length > 0 ? `owner ${owners.join(" and ")}` : "no owner");
  }
  if (mark) parts.push(showName(mark.label));
  if (card.moreUp === null) parts.push("upstream not opened");
  else if (card.moreUp > 0) parts.push(`${card.moreUp} more upstream`);
  if (card.moreDown === null) parts.push("downstream not opened");
  else if (card.moreDown > 0) parts.push(`${card.moreDown} more downstream`);
  return parts.join(", ");
}

/** The id to go to from a row: a neighbour along a line, or the row above or below. */
export function findNeighbour(
  picture: Picture,
  rows: readonly OutlineRow[],
  from: string,
  key: "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown" | "Home" | "End",
): string | null {
  const at = rows.findIndex((row) => row.id === from);
  if (at < 0) return rows[0]?.id ?? null;
  if (key === "Home") return rows[0]!.id;
  if (key === "End") return rows.at(-1)!.id;
  if (key === "ArrowUp" || key === "ArrowDown") return rows[at + (key === "ArrowUp" ? -1 : 1)]?.id ?? null;
  const { card, row } = rows[at]!;
  for (const line of picture.lines) {
    const [here, hereRow, there, thereRow] =
      key === "ArrowLeft" ? [line.to, line.toRow, line.from, line.fromRow] : [line.from, line.fromRow, line.to, line.toRow];
    if (here !== card || there === card || (row >= 0 && hereRow !== row)) continue;
    const target = picture.cards[there]!;
    return row >= 0 && thereRow >= 0 ? target.rows[thereRow]!.id : target.id;
  }
  return null;
}
