/** Jobs and consumers as boxes of the picture: who moves its data, and who uses it. Pure. */
import type { CompactPictureUsersAnswer, PictureUsersAnswer } from "../queries/picture";
import {
  type Card,
  isUser,
  type Line,
  type LineageEdge,
  type LineageNode,
  nameEdge,
  type Picture,
  REACHES,
  type Ref,
  type View,
} from "./model";
import { finish, STEP_ITEMS, type Steps } from "./slices";

export const USERS = ["JOB", "CONSUMER"] as const;
export type UserKind = (typeof USERS)[number];

export interface User {
  node: LineageNode;
  /** Ids of what it reads, or uses; and of what it writes. */
  reads: ReadonlySet<string>;
  writes: ReadonlySet<string>;
}

export interface Users {
  list: User[];
  /** By the name of each edge of a compact answer: its jobs, also none. The edges of such a picture name theirs nowhere else. */
  jobs: ReadonlyMap<string, readonly Ref[]>;
}

/** Each job and consumer once, with all that the answers say of it. */
export function readUsers(answers: readonly PictureUsersAnswer[], compact: readonly CompactPictureUsersAnswer[] = []): Users {
  const users = new Map<string, { node: LineageNode; reads: Set<string>; writes: Set<string> }>();
  const find = (node: LineageNode) => {
    const user = users.get(node.id) ?? { node, reads: new Set(), writes: new Set() };
    if (user.node.brief) user.node = node;
    users.set(node.id, user);
    return user;
  };
  const add = (asset: Parts, reads: readonly string[], writes: readonly string[]) => {
    const user = find(makeUser(asset));
    for (const id of reads) user.reads.add(id);
    for (const id of writes) user.writes.add(id);
  };
  const jobs = new Map<string, Ref[]>();
  for (const { lineage } of compact) {
    const { ids, kinds, names, qualifiedNames, reads, writes, uses, carries } = lineage.users;
    const found = ids.map((id, i) => {
      const known = { id, kind: kinds[i]!, name: names[i]!, qualifiedName: qualifiedNames[i]! };
      return find({ ...makeUser({ ...known, domain: null, product: null, owners: [] }), brief: true });
    });
    const idOf = (pairs: typeof reads, i: number) => lineage.ids[pairs.node[i]!]!;
    for (const pairs of [reads, uses]) for (const [i, one] of pairs.user.entries()) found[one]!.reads.add(idOf(pairs, i));
    for (const [i, one] of writes.user.entries()) found[one]!.writes.add(idOf(writes, i));
    const ofEdges = lineage.edges.from.map((from, i) => {
      const name = nameEdge({ from: lineage.ids[from]!, to: lineage.ids[lineage.edges.to[i]!]! });
      const known = jobs.get(name) ?? [];
      jobs.set(name, known);
      return known;
    });
    for (const [i, one] of carries.user.entries()) {
      const known = ofEdges[carries.node[i]!]!;
      if (!known.some(({ id }) => id === ids[one])) known.push({ id: ids[one]!, name: names[one]! });
    }
  }
  for (const { lineage } of answers) {
    for (const { job, reads, writes } of lineage.jobs) add(job, reads, writes);
    for (const { consumer, uses } of lineage.consumers) add(consumer, uses, []);
  }
  return { list: [...users.values()], jobs };
}

/** Why jobs and consumers of a picture are missing: an answer has more nodes than were counted before, and none is drawn; or it was cut off by time. */
export type UsersGap = "NODES" | "TIME" | null;

export function findUsersGap(answers: readonly { lineage: { completeness: { truncated: string } } }[]): UsersGap {
  const cuts = answers.map(({ lineage }) => lineage.completeness.truncated);
  return (["NODES", "TIME"] as const).find((cut) => cuts.includes(cut)) ?? null;
}

type Parts = Omit<PictureUsersAnswer["lineage"]["jobs"][number]["job"], "__typename">;

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
export function addUsers(picture: Picture, users: Users, view: View): Picture {
  return finish(stepUsers(picture, users, view));
}

export function* stepUsers(picture: Picture, { list, jobs }: Users, view: View): Steps<Picture> {
  const listJobs = (edge: LineageEdge) => (edge.brief ? (jobs.get(nameEdge(edge)) ?? []) : edge.jobs);
  if (list.length === 0) return picture;
  let step = 0;
  const cards = [...picture.cards];
  const cardOf = new Map(picture.cardOf);
  const lines: Line[] = [];
  const pairs = new Map<string, LineageEdge[]>(); // by job and the cards at its sides
  const between = new Map<string, LineageEdge[]>(); // all flows, for those of which a compact answer names no jobs
  for (const line of picture.lines)
    between.set(`${line.from} ${line.to}`, [...(between.get(`${line.from} ${line.to}`) ?? []), ...line.edges]);
  for (const line of picture.lines) {
    if (++step % STEP_ITEMS === 0) yield;
    for (const edge of line.edges)
      for (const { id } of listJobs(edge)) {
        const key = `${id} ${line.from} ${line.to}`;
        pairs.set(key, [...(pairs.get(key) ?? []), edge]);
      }
  }
  const through = new Set<string>();
  for (const { node, reads, writes } of list) {
    if (++step % STEP_ITEMS === 0) yield;
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
          (other) =>
            pairs.get(`${node.id} ${one} ${other}`) ??
            (between.get(`${one} ${other}`) ?? []).filter((edge) => edge.brief && !jobs.has(nameEdge(edge))),
        ),
      );
    for (const from of sources!) lines.push(makeLine(cards, from, at, carried([from], targets!), node, view));
    for (const to of targets!) lines.push(makeLine(cards, at, to, carried(sources!, [to]), node, view));
  }
  const kept = picture.lines.filter(({ fromRow, toRow, change, edges }) => {
    if (fromRow >= 0 || toRow >= 0 || change) return true;
    return edges.some((edge) => {
      const named = listJobs(edge);
      return named.length === 0 || named.some((job) => !through.has(job.id));
    });
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
