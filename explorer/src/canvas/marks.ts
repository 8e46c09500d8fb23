/** Marks on cards: one overlay at a time (quality, freshness, owner, policy), each with words and a tone. Pure. */
import { nameValue } from "../messages";
import { type Card, isUser } from "./model";

export type Tone = "good" | "warn" | "bad" | "none";

export interface Mark {
  label: string;
  tone: Tone;
}

/** `change`: the verdicts of a typed change. */
export type Overlay = "none" | "quality" | "freshness" | "owner" | "policy" | "change";
export const OVERLAYS: readonly Overlay[] = ["none", "quality", "freshness", "owner", "policy", "change"];

const DAY = 86_400_000;

/** What an overlay needs beside the cards. */
export interface MarkSource {
  now: number;
  /** Violations by asset: those of a column also by its dataset. */
  violations: ReadonlyMap<string, readonly BrokenPolicy[]>;
  /** Whether `violations` has all that there are: else a card without any is not known to break no policy. */
  allViolations: boolean;
}

export interface BrokenPolicy {
  fingerprint: string;
  text: string;
}

/** Violations by the ids of their assets; the violation of a column is also one of its dataset, whose columns may be hidden. */
export function groupViolations(
  found: readonly (BrokenPolicy & { asset: { id: string; dataset?: { id: string } } | null })[],
): Map<string, BrokenPolicy[]> {
  const groups = new Map<string, BrokenPolicy[]>();
  for (const { asset, fingerprint, text } of found)
    for (const id of asset ? [asset.id, ...(asset.dataset ? [asset.dataset.id] : [])] : [])
      groups.set(id, [...(groups.get(id) ?? []), { fingerprint, text }]);
  return groups;
}

export function markCards(cards: readonly Card[], overlay: Overlay, source: MarkSource): Map<string, Mark> {
  const marks = new Map<string, Mark>();
  if (overlay !== "none" && overlay !== "change") for (const card of cards) marks.set(card.id, markCard(card, overlay, source));
  return marks;
}

function markCard(card: Card, overlay: Exclude<Overlay, "none" | "change">, { now, violations, allViolations }: MarkSource): Mark {
  if (isUser(card.node) && overlay !== "owner") return { label: nameValue(card.node.kind), tone: "none" };
  const nodes = card.members.length > 0 ? card.members : [card.node];
  const brief = nodes.filter((node) => node.brief).length;
  if (brief > 0 && overlay !== "policy") return { label: brief < nodes.length ? `${brief} not loaded` : "not loaded", tone: "none" };
  if (overlay === "owner") {
    const owners = [...new Set(nodes.flatMap((node) => node.owners.map((owner) => owner.name)))];
    return owners.length > 0 ? { label: owners.join(", "), tone: "good" } : { label: "no owner", tone: "warn" };
  }
  if (overlay === "policy") {
    const ids = [...nodes.map((node) => node.id), ...card.rows.map((row) => row.id)];
    const broken = [...new Map(ids.flatMap((id) => violations.get(id) ?? []).map((one) => [one.fingerprint, one.text])).values()];
    if (broken.length === 0)
      return allViolations ? { label: "no policy broken", tone: "good" } : { label: "not all violations are read", tone: "none" };
    const count = `${broken.length}${allViolations ? "" : " or more"} violations of policies`;
    return { label: broken.length === 1 && allViolations ? `broken: ${broken[0]}` : count, tone: "bad" };
  }
  if (overlay === "quality") {
    const counts = nodes.flatMap((node) => (node.checks ? [node.checks] : []));
    const [passed, failed, other] = (["passed", "failed", "other"] as const).map((key) =>
      counts.reduce((sum, count) => sum + count[key], 0),
    );
    if (failed! > 0) return { label: `${failed} of ${passed! + failed! + other!} checks failing`, tone: "bad" };
    if (passed! > 0) return { label: `${passed} checks passed`, tone: other! > 0 ? "warn" : "good" };
    return { label: other! > 0 ? `${other} checks without result` : "no checks", tone: "none" };
  }
  const times = nodes.flatMap((node) => (node.lastObserved ? [Date.parse(node.lastObserved)] : []));
  if (times.length === 0) return { label: "never observed", tone: "none" };
  const age = Math.max(0, now - Math.max(...times));
  return { label: `observed ${describeAge(age)} ago`, tone: age < DAY ? "good" : age < 7 * DAY ? "warn" : "bad" };
}

export function describeAge(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

/** The legend: how many cards have which tone. */
export function countTones(marks: ReadonlyMap<string, Mark>): Record<Tone, number> {
  const counts: Record<Tone, number> = { good: 0, warn: 0, bad: 0, none: 0 };
  for (const mark of marks.values()) counts[mark.tone]++;
  return counts;
}
