/** Jobs and consumers as boxes of the picture: who moves its data, and who uses it. Pure. */
import type { PictureUsersAnswer } from "../queries/picture";
import { type Card, isUser, type Line, type LineageEdge, type LineageNode, type Picture, REACHES, type View } from "./model";

export const USERS = ["JOB", "CONSUMER"] as const;
export type UserKind = (typeof USERS)[number];

export interface User {
  node: LineageNode;
  /** Ids of what it reads, or uses; and of what it writes. */
  reads: ReadonlySet<string>;
  writes: ReadonlySet<string>;
}

/** Each job and consumer once, with all that the answers say of it. */
export function readUsers(answers: readonly PictureUsersAnswer[]): User[] {
  const users = new Map<string, { node: LineageNode; reads: Set<string>; writes: Set<string> }>();
  const add = (asset: Parts, reads: readonly string[], writes: readonly string[]) => {
    const user = users.get(asset.id) ?? { node: makeUser(asset), reads: new Set(), writes: new Set() };
    for (const id of reads) user.reads.add(id);
    for (const id of writes) user.writes.add(id);
    users.set(asset.id, user);
  };
  for (const { lineage } of answers) {
    for (const { job, reads, writes } of lineage.jobs) add(job, reads, writes);
    for (const { consumer, uses } of lineage.consumers) add(consumer, uses, []);
  }
  return [...users.values()];
}

/** Why jobs and consumers of a picture are missing: an answer has too many nodes, and none is drawn; or it was cut off by time. */
export type UsersGap = "NODES" | "TIME" | null;

export function findUsersGap(answers: readonly PictureUsersAnswer[]): UsersGap {
  const cuts = answers.map(({ lineage }) => lineage.completeness.truncated);
  return (["NODES", "TIME"] as const).find((cut) => cuts.includes(cut)) ?? null;
}

type Parts = PictureUsersAnswer["lineage"]["jobs"][number]["job"] | PictureUsersAnswer["lineage"]["consumers"][number]["consumer"];

function makeUser({ id, kind, name, qualifiedName, domain, product, owners }: Parts): LineageNode {
  return {
    ...{ id, kind, name, qualifiedName, domain, product, parent: null, position: null, dataType: null, reach: "DIRECT", masked: false },
    ...{ start: false, upstream: null, downstream: null, columns: null, checks: null, lastObserved: null },
    owners: [...new Map(owners.map(({ owner }) => [owner.id, { id: owner.id, name: owner.name }])).values()],
  };
}

/**
 * The picture with boxes for jobs and consumers. A line that a job explains is drawn through its box, if the box then claims no flow
 * that no source stated: a job that reads two datasets and writes two, but not each from each, stands beside the lines of its flows.
 */
export function addUsers(picture: Picture, users: readonly User[], view: View): Picture {
  const cards = [...picture.cards];
  const cardOf = new Map(picture.cardOf);
  const lines: Line[] = [];
  const pairs = new Map<string, LineageEdge[]>(); // by job and the cards at its sides
  const between = new Map<string, LineageEdge[]>(); // all flows, for those of which a compact answer names no jobs
  for (const line of picture.lines)
    between.set(`${line.from} ${line.to}`, [...(between.get(`${line.from} ${line.to}`) ?? []), ...line.edges]);
  for (const line of picture.lines)
    for (const edge of line.edges)
      for (const { id } of edge.jobs) {
        const key = `${id} ${line.from} ${line.to}`;
        pairs.set(key, [...(pairs.get(key) ?? []), edge]);
      }
  const through = new Set<string>();
  for (const { node, reads, writes } of users) {
    const [sources, targets] = [reads, writes].map((ids) => listCards(ids, picture));
    if (sources!.length === 0 || (writes.size > 0 && targets!.length === 0)) continue;
    // Within one closed group nothing of it is to be seen.
    const [first] = sources!;
    if (picture.cards[first!]!.members.length > 0 && targets!.length > 0 && [...sources!, ...targets!].every((card) => card === first))
      continue;
    const at = cards.length;
    cards.push(makeCard(node, picture.cards, sources!, targets!));
    cardOf.set(node.id, at);
    const exact = sources!.every((from) => targets!.every((to) => pairs.has(`${node.id} ${from} ${to}`)));
    if (exact && targets!.length > 0) through.add(node.id);
    const carried = (from: readonly number[], to: readonly number[]) =>
      from.flatMap((one) =>
        to.flatMap(
          (other) => pairs.get(`${node.id} ${one} ${other}`) ?? (between.get(`${one} ${other}`) ?? []).filter((edge) => edge.brief),
        ),
      );
    for (const from of sources!) lines.push(makeLine(cards, from, at, carried([from], targets!), node, view));
    for (const to of targets!) lines.push(makeLine(cards, at, to, carried(sources!, [to]), node, view));
  }
  const kept = picture.lines.filter(({ fromRow, toRow, change, edges }) => {
    if (fromRow >= 0 || toRow >= 0 || change) return true;
    return edges.some((edge) => edge.jobs.length === 0 || edge.jobs.some((job) => !through.has(job.id)));
  });
  return { ...picture, cards, cardOf, lines: [...kept, ...lines] };
}

function listCards(ids: ReadonlySet<string>, { cardOf }: Picture): number[] {
  return [...new Set([...ids].flatMap((id) => cardOf.get(id) ?? []))];
}

/** Half a hop before what it writes, or behind what it reads. */
function makeCard(node: LineageNode, cards: readonly Card[], sources: readonly number[], targets: readonly number[]): Card {
  const hops = (list: readonly number[]) => list.map((card) => cards[card]!.hop);
  const hop = targets.length > 0 ? Math.min(...hops(targets)) - 0.5 : Math.max(...hops(sources)) + 0.5;
  const beside = cards[targets[0] ?? sources[0]!]!;
  return {
    ...{ id: node.id, node, hop, rows: [], allRows: 0, moreRows: 0, moreUp: 0, moreDown: 0, openUp: false, openDown: false },
    ...{ group: beside.members.length > 0 ? null : beside.group, members: [] },
  };
}

/** A line between a box and a job or consumer: as sure as the surest of the flows that it carries. */
function makeLine(cards: readonly Card[], from: number, to: number, flows: readonly LineageEdge[], user: LineageNode, view: View): Line {
  const known = flows.length > 0;
  const reach = flows
    .map((one) => one.reach)
    .reduce((a, b) => (REACHES.indexOf(b) < REACHES.indexOf(a) ? b : a), flows[0]?.reach ?? "DIRECT");
  const [source, target] = [cards[from]!.id, cards[to]!.id];
  const signs = {
    reach,
    masking: known && flows.every((one) => one.masking),
    stale: known && flows.every((one) => one.stale),
    provisional: known && flows.every((one) => one.provisional),
  };
  const jobs = user.kind === "JOB" ? [{ id: user.id, name: user.name }] : [];
  return {
    ...{ id: `${source} ${target}`, from, to, fromRow: -1, toRow: -1, ...signs },
    faint: known ? flows.every((one) => !view.reach.has(one.reach)) : !view.reach.has(reach),
    edges: [{ from: source, to: target, type: null, subtype: "", count: 1, jobs, ...signs }],
  };
}

/** A cone with the jobs and consumers that lie in it; of a job or consumer itself: all that the picture's lines lead to. */
export function lightUsers(picture: Picture, cone: ReadonlySet<string>, of: string): Set<string> {
  const lit = new Set(cone);
  const center = picture.cardOf.get(of);
  if (center !== undefined && isUser(picture.cards[center]!.node))
    for (const [here, there] of [["from", "to"] as const, ["to", "from"] as const]) {
      const found = new Set([center]);
      for (const card of found) for (const line of picture.lines) if (line[here] === card) found.add(line[there]);
      for (const card of found) lit.add(picture.cards[card]!.id);
    }
  const isLit = (card: number) => {
    const { id, rows, members } = picture.cards[card]!;
    return lit.has(id) || rows.some((row) => lit.has(row.id)) || members.some((member) => lit.has(member.id));
  };
  const sides = new Map<number, { into: boolean; out: boolean | null }>();
  for (const line of picture.lines) {
    for (const [user, other] of [
      [line.to, line.from],
      [line.from, line.to],
    ] as const) {
      if (!isUser(picture.cards[user]!.node)) continue;
      const side = sides.get(user) ?? { into: false, out: null };
      if (user === line.to) side.into ||= isLit(other);
      else side.out = side.out || isLit(other);
      sides.set(user, side);
    }
  }
  for (const [card, { into, out }] of sides) if (into && out !== false) lit.add(picture.cards[card]!.id);
  return lit;
}
