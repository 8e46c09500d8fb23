/** What a change of the mesh means for the picture: the verdicts of a typed change, and the flows that two times differ in. Pure. */
import type { ChangedFlowsAnswer, ChangeHitsAnswer, DrawnEnd } from "../queries/picture";
import type { Mark } from "./marks";
import type { Card, LineageEdge, Picture } from "./model";

type Verdict = ChangeHitsAnswer["blastRadius"]["verdict"];
const VERDICTS: readonly Verdict[] = ["COMPATIBLE", "CONDITIONAL", "BREAKING"];
const MARKS: Record<Verdict, Mark> = {
  COMPATIBLE: { label: "SAFE: nothing breaks", tone: "good" },
  CONDITIONAL: { label: "WARN: to be reviewed", tone: "warn" },
  BREAKING: { label: "BREAKS", tone: "bad" },
};

/** The ids under which an end can be drawn: its own, and that of its dataset. */
function listIds(end: DrawnEnd | null): string[] {
  if (end === null) return [];
  return end.__typename === "Column" ? [end.id, end.dataset.id] : [end.id];
}

/** The worst verdict of each asset on the path of a hit. */
export function collectVerdicts({ blastRadius }: ChangeHitsAnswer): Map<string, Verdict> {
  const worst = new Map<string, Verdict>();
  for (const { hits } of blastRadius.findings)
    for (const { verdict, path } of hits)
      for (const id of path.flatMap((step) => listIds(step.asset)))
        if (VERDICTS.indexOf(verdict) > VERDICTS.indexOf(worst.get(id) ?? "COMPATIBLE") || !worst.has(id)) worst.set(id, verdict);
  return worst;
}

/** Cards on the way to a consumer that a change hits, by verdict; others lie on no way that the check reports. */
export function markVerdicts(cards: readonly Card[], worst: ReadonlyMap<string, Verdict>): Map<string, Mark> {
  const marks = new Map<string, Mark>();
  for (const card of cards) {
    const found = [card.id, ...card.members.map((member) => member.id)].flatMap((id) => worst.get(id) ?? []);
    const verdict = found.reduce<Verdict | null>((a, b) => (a === null || VERDICTS.indexOf(b) > VERDICTS.indexOf(a) ? b : a), null);
    marks.set(card.id, verdict ? MARKS[verdict] : { label: "on no path to a hit", tone: "none" });
    for (const row of card.rows) {
      const own = worst.get(row.id);
      if (own) marks.set(row.id, { label: own === "BREAKING" ? "BREAKS" : own === "CONDITIONAL" ? "WARN" : "SAFE", tone: MARKS[own].tone });
    }
  }
  return marks;
}

/** The flows that were added and removed, each as the pairs of ids under which it can be drawn: its columns', and their datasets'. */
export interface FlowChanges {
  added: readonly (readonly string[])[];
  removed: readonly (readonly string[])[];
  /** Changes beyond those that were sent. */
  more: number;
}

export const NO_CHANGES: FlowChanges = { added: [], removed: [], more: 0 };

export function readChanges({ lineageDiff }: ChangedFlowsAnswer): FlowChanges {
  const collect = (flows: ChangedFlowsAnswer["lineageDiff"]["added"]) =>
    flows.map(({ from, to }) => listIds(from).flatMap((a) => listIds(to).map((b) => `${a} ${b}`)));
  const { added, removed, totalAdded, totalRemoved } = lineageDiff;
  return { added: collect(added), removed: collect(removed), more: totalAdded + totalRemoved - added.length - removed.length };
}

/** The picture with its lines marked, and with lines for removed flows between what it shows. `beyond`: changes of flows that it does not show. */
export function markChanges(picture: Picture, changes: FlowChanges): { picture: Picture; beyond: number } {
  if (changes === NO_CHANGES) return { picture, beyond: 0 };
  const seen = new Set<string>();
  const [newPairs, lostPairs] = [new Set(changes.added.flat()), new Set(changes.removed.flat())];
  const lines = picture.lines.map((line) => {
    const names = line.edges.map((edge) => `${edge.from} ${edge.to}`);
    for (const name of names) seen.add(name);
    // A line between datasets stands for flows of columns: it may have had others before, and may still have some.
    const added = names.some((name) => newPairs.has(name));
    const removed = names.some((name) => lostPairs.has(name));
    if (!added && !removed) return { ...line, faint: true };
    return { ...line, change: added && removed ? ("both" as const) : added ? ("added" as const) : ("fewer" as const) };
  });
  const gone = new Map<string, { from: number; to: number; edges: LineageEdge[] }>();
  let beyond = changes.more;
  for (const pairs of changes.removed) {
    if (pairs.some((name) => seen.has(name))) continue;
    const pair = pairs.map((name) => name.split(" ") as [string, string]).find((ends) => ends.every((id) => picture.cardOf.has(id)));
    const [from, to] = pair ? pair.map((id) => picture.cardOf.get(id)!) : [];
    if (!pair || from === undefined || to === undefined) {
      beyond++;
      continue;
    }
    if (from === to) continue;
    const edge: LineageEdge = {
      ...{ from: pair[0], to: pair[1], reach: "DIRECT", type: null, subtype: "", masking: false, count: 1, jobs: [] },
      ...{ stale: false, provisional: false },
    };
    const key = `${from} ${to}`;
    const known = gone.get(key);
    if (known) known.edges.push(edge);
    else gone.set(key, { from, to, edges: [edge] });
  }
  for (const pairs of changes.added) if (!pairs.some((name) => seen.has(name))) beyond++;
  const removed = [...gone.values()].map(({ from, to, edges }) => ({
    ...{ id: `removed ${picture.cards[from]!.id} ${picture.cards[to]!.id}`, from, to, fromRow: -1, toRow: -1, reach: "DIRECT" as const },
    ...{ masking: false, stale: false, provisional: false, faint: false, edges, change: "removed" as const },
  }));
  return { picture: { ...picture, lines: [...lines, ...removed] }, beyond };
}
