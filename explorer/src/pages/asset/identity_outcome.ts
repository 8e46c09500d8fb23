/** What a statement about names will join or part, in sentences for the dialog that confirms it. */
import { count, formatList } from "../../messages";
import { showName } from "../../names";
import type { NameReason } from "../../queries/asset";

interface NameLike {
  id: string;
  namespace: string;
  name: string;
}

export interface IdentityLike {
  shown: NameLike;
  members: readonly { name: NameLike; past: boolean }[];
  reasons: readonly NameReason[];
  partings: readonly NameReason[];
}

const MOST = 20; // names in one sentence

export const showFullName = (one: { namespace: string; name: string }): string => showName(`${one.namespace}/${one.name}`);

function listNames(names: readonly NameLike[]): string {
  const shown = names.slice(0, MOST).map(showFullName);
  return formatList(names.length > MOST ? [...shown, count(names.length - MOST, "more", "more")] : shown);
}

const RELATIONS: Record<string, string> = { SAME_AS: "is", RENAMED_TO: "was renamed to", DIFFERENT_FROM: "is not" };

/** `person/ana states that a/x is not b/y (two feeds)`. */
function showReason(one: NameReason): string {
  return `${showName(one.source)} states that ${showFullName(one.start)} ${RELATIONS[one.type] ?? one.type} ${showFullName(one.end)} (${showName(one.why.slice(0, 300))})`;
}

const isBetween = (one: NameReason, first: string, second: string): boolean =>
  (one.start.id === first && one.end.id === second) || (one.start.id === second && one.end.id === first);

/** The names of the dataset that these reasons connect to one of them. */
function listConnected(identity: IdentityLike, reasons: readonly NameReason[], start: string): NameLike[] {
  const found = new Set([start]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const { start: one, end: other } of reasons) {
      if (found.has(one.id)) found.add(other.id);
      else if (found.has(other.id)) found.add(one.id);
    }
  }
  return identity.members.map((one) => one.name).filter((one) => found.has(one.id));
}

/** Statements without effect now, which may have one after a change: those that other statements overrule. */
const listWaiting = (identity: IdentityLike, but?: string): string[] =>
  identity.reasons
    .filter((one) => one.overruled && one.statement !== but)
    .map((one) => `Without effect now, and perhaps with effect then: ${showReason(one)}.`);

const listActive = (identity: IdentityLike): NameReason[] => identity.reasons.filter((one) => !one.overruled);

/** What follows from two datasets being stated to be one. */
export function describeJoin(one: IdentityLike, other: IdentityLike): string[] {
  const others = new Set(other.members.map((member) => member.name.id));
  const partings = one.partings.filter((parting) => others.has(parting.start.id) || others.has(parting.end.id));
  const exact = partings.filter((parting) => isBetween(parting, one.shown.id, other.shown.id));
  if (exact.length > 0) return [...exact.map(showReason), "That takes precedence: nothing is joined until it is retracted."];
  const names = [...one.members, ...other.members].map((member) => member.name);
  if (partings.length > 0)
    return [
      ...partings.map(showReason),
      `That takes precedence, so not all of these names become one dataset: ${listNames(names)}. The weakest of the statements that connect them have no effect then.`,
    ];
  return [`They become one dataset with these names: ${listNames(names)}.`, "Their columns are joined by name."];
}

const describeParts = (first: NameLike[], second: NameLike[]): string[] => [
  `One dataset: ${listNames(first)}.`,
  `Another dataset: ${listNames(second)}.`,
];

/** What follows from two names of one dataset being stated to be different, by their ids. */
export function describeParting(identity: IdentityLike, first: string, second: string): string[] {
  const active = listActive(identity);
  const direct = active.filter((one) => isBetween(one, first, second));
  const renames = direct.filter((one) => one.type === "RENAMED_TO");
  if (renames.length > 0) return [...renames.map(showReason), "A rename is never parted: they stay one dataset."];
  const idle = direct.map((one) => `Without effect then: ${showReason(one)}.`);
  const rest = active.filter((one) => !direct.includes(one));
  const kept = listConnected(identity, rest, first);
  if (kept.some((one) => one.id === second))
    return [
      ...idle,
      `Other statements connect the two as well. The weakest of them have no effect then, which decides in which of the two datasets each of these names is: ${listNames(identity.members.map((one) => one.name))}.`,
    ];
  return [...idle, ...describeParts(kept, listConnected(identity, rest, second)), ...listWaiting(identity)];
}

/** What follows from two datasets being stated to be different which are not one now. */
export function describeBarrier(one: IdentityLike, other: IdentityLike): string[] {
  return [
    `They are two datasets now: ${showFullName(one.shown)} and ${showFullName(other.shown)}. No statement or rule can make these two names one from then on.`,
  ];
}

/** What follows from the retraction of a statement about names. */
export function describeRetraction(identity: IdentityLike, reason: NameReason): string[] {
  const waiting = listWaiting(identity, reason.statement);
  if (reason.type === "DIFFERENT_FROM") {
    const [start, end] = [reason.start.id, reason.end.id];
    const others = identity.partings.filter((one) => one.statement !== reason.statement && isBetween(one, start, end));
    if (others.length > 0) return [...others.map(showReason), "That keeps the two names apart all the same."];
    return ["What joins the two names otherwise applies again.", ...waiting];
  }
  if (reason.overruled) return ["It has no effect now: a statement that they are different takes precedence."];
  const rest = listActive(identity).filter((one) => one.statement !== reason.statement);
  const kept = listConnected(identity, rest, reason.start.id);
  if (kept.some((one) => one.id === reason.end.id)) return ["Other statements connect the two names: they stay one dataset."];
  return [...describeParts(kept, listConnected(identity, rest, reason.end.id)), ...waiting];
}

/** The sentence of a retraction. */
export function describeStatement(reason: NameReason): string {
  return `Retract this: ${showReason(reason)}. It stays in the history.`;
}
