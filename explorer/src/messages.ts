/** All sentences of the page, in English; numbers, plurals and times as the browser's language writes them. */

const locale = "en";
/** Made when it is first used, or before that when the page has nothing to do: those for times take longer than the rest of its start. */
function defer<Value>(make: () => Value): () => Value {
  let made: Value | undefined;
  const use = () => {
    made ??= make();
    return made;
  };
  globalThis.requestIdleCallback?.(use);
  return use;
}

const numbers = defer(() => new Intl.NumberFormat(locale));
const plurals = defer(() => new Intl.PluralRules(locale));
const times = defer(() => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }));
const exactTimes = defer(() => new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" }));
const relative = defer(() => new Intl.RelativeTimeFormat(locale, { numeric: "auto" }));
const ratios = defer(() => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }));
const lists = defer(() => new Intl.ListFormat(locale, { type: "conjunction" }));

export const formatNumber = (value: number): string => numbers().format(value);
export const formatList = (values: readonly string[]): string => lists().format(values);

export function formatRatio(part: number, whole: number): string {
  return whole === 0 ? "–" : ratios().format(part / whole);
}

/** `3 datasets`. */
export function count(value: number, one: string, other: string): string {
  return `${numbers().format(value)} ${plurals().select(value) === "one" ? one : other}`;
}

export const formatTime = (iso: string): string => times().format(new Date(iso));
export const formatExactTime = (iso: string): string => `${exactTimes().format(new Date(iso))} (${iso})`;

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/** `3 days ago`. */
export function formatAgo(iso: string, now: number = Date.now()): string {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return relative().format(Math.trunc(seconds / size), unit);
}

export function formatSeconds(seconds: number): string {
  const [unit, size] = UNITS.filter(([name]) => name !== "year" && name !== "month").find(([, length]) => seconds >= length) ?? [
    "second",
    1,
  ];
  return count(Math.round((seconds / size) * 10) / 10, unit, `${unit}s`);
}

export const KINDS: Record<string, [one: string, other: string]> = {
  DOMAIN: ["domain", "domains"],
  DATA_PRODUCT: ["product", "products"],
  DATASET: ["dataset", "datasets"],
  COLUMN: ["column", "columns"],
  JOB: ["job", "jobs"],
  CONSUMER: ["consumer", "consumers"],
  OWNER: ["owner", "owners"],
  CONTRACT: ["contract", "contracts"],
};

export const nameKind = (kind: string): string => KINDS[kind]?.[0] ?? kind.toLowerCase().replaceAll("_", " ");
export const nameKinds = (kind: string): string => KINDS[kind]?.[1] ?? kind.toLowerCase().replaceAll("_", " ");
export const countKind = (kind: string, value: number): string => count(value, nameKind(kind), nameKinds(kind));
export const capitalize = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
/** An enum value as words. */
export const nameValue = (value: string): string => value.toLowerCase().replaceAll("_", " ");

/** What an edge does with the values. */
export const nameSubtype = (subtype: string): string => (subtype === "IDENTITY" ? "identity (unchanged)" : nameValue(subtype));

export const REACHES: Record<string, { name: string; meaning: string }> = {
  DIRECT: { name: "direct", meaning: "its values come from there" },
  INDIRECT: { name: "indirect", meaning: "its rows depend on it: a filter, a join, a group" },
  POSSIBLE: { name: "possible", meaning: "no source recorded the columns on the way" },
};

export const VERDICTS: Record<string, { name: string; tone: "bad" | "warn" | "good"; meaning: string }> = {
  BREAKING: { name: "BREAKING", tone: "bad", meaning: "It must not ship like this." },
  CONDITIONAL: { name: "CONDITIONAL", tone: "warn", meaning: "A person must review it." },
  COMPATIBLE: { name: "COMPATIBLE", tone: "good", meaning: "Nothing that is known breaks." },
};

export const STANDINGS: Record<string, { name: string; tone: "bad" | "warn" | "good" }> = {
  KEPT: { name: "kept", tone: "good" },
  BROKEN: { name: "broken", tone: "bad" },
  UNKNOWN: { name: "unknown", tone: "warn" },
};

export const OUTCOMES: Record<string, { name: string; tone: "bad" | "warn" | "good" | "" }> = {
  PASSED: { name: "passed", tone: "good" },
  FAILED: { name: "failed", tone: "bad" },
  WARNED: { name: "warned", tone: "warn" },
  ERROR: { name: "error", tone: "bad" },
  SKIPPED: { name: "skipped", tone: "" },
  NOT_RUN: { name: "not run", tone: "" },
};

export const RUN_STATES: Record<string, { name: string; tone: "bad" | "warn" | "good" | ""; sign: string }> = {
  RUNNING: { name: "running", tone: "", sign: "…" },
  COMPLETE: { name: "complete", tone: "good", sign: "✓" },
  FAIL: { name: "failed", tone: "bad", sign: "✗" },
  ABORT: { name: "aborted", tone: "warn", sign: "■" },
};

export const CONFLICTS: Record<string, string> = {
  TWO_TABLES: "Catalogs have two tables for this one dataset",
  UNLIKE_COLUMNS: "One dataset whose names have different columns",
  NEAR_MISS: "Two datasets with the same table name and mostly the same columns",
  SESSION_NAME: "Several datasets that had one name in the sessions of a producer",
};

interface Gaps {
  truncated: string;
  possibleOnly: number;
  undescribed: number;
  staleEdges: number;
  provisional: number;
  unbound: number;
  silentOnFilters: number;
  silentProducers: readonly string[];
  asOf: string | null;
  knownLater: readonly { relation: string; sourceKind: string; since: string }[];
  hidden: readonly { count: number; domain: { name: string } | null }[];
}

export interface Gap {
  short: string;
  long: string;
  /** The domains for which access can be asked. */
  ask?: readonly string[];
  /** The name by which the server lists what is behind it; none: there is no such list. */
  code?: "POSSIBLE_ONLY" | "UNDESCRIBED" | "STALE" | "PROVISIONAL" | "UNBOUND" | "SILENT_ON_FILTERS" | null;
}

const TRUNCATED: Record<string, Gap> = {
  NODES: { short: "cut off by its size", long: "The answer reached the limit of nodes: there is more than is shown." },
  DEPTH: { short: "only as many steps as asked", long: "There is more behind: open further hops, or ask for more steps." },
  TIME: { short: "cut off by time", long: "The answer reached the limit of time: there is more than is shown." },
};

/** What an answer does not know, one entry for each kind of gap; none: it is complete. */
export function listGaps(gaps: Gaps): Gap[] {
  const found: Gap[] = [];
  const cut = TRUNCATED[gaps.truncated];
  if (cut) found.push(cut);
  const hidden = gaps.hidden.reduce((sum, one) => sum + one.count, 0);
  if (hidden > 0) {
    const domains = gaps.hidden.flatMap((one) => (one.domain ? [`${formatNumber(one.count)} of ${one.domain.name}`] : []));
    found.push({
      ask: gaps.hidden.flatMap((one) => (one.domain ? [one.domain.name] : [])),
      short: `${count(hidden, "asset", "assets")} that you may not see`,
      long: `They are part of the answer, and are neither shown nor counted elsewhere${domains.length > 0 ? `: ${formatList(domains)}` : ""}.`,
    });
  }
  if (gaps.possibleOnly > 0)
    found.push({
      code: "POSSIBLE_ONLY",
      short: `${count(gaps.possibleOnly, "pair", "pairs")} of datasets without column lineage`,
      long: "What lies behind them is affected only possibly, and may be more than is really affected.",
    });
  if (gaps.undescribed > 0)
    found.push({
      code: "UNDESCRIBED",
      short: `${count(gaps.undescribed, "dataset", "datasets")} without a description`,
      long: "No source lists their columns: columns may exist that are not in the answer.",
    });
  if (gaps.staleEdges > 0)
    found.push({
      code: "STALE",
      short: `${count(gaps.staleEdges, "flow", "flows")} not confirmed by the latest run`,
      long: "The latest run of their job did not state them again: they may no longer exist.",
    });
  if (gaps.provisional > 0)
    found.push({
      code: "PROVISIONAL",
      short: `${count(gaps.provisional, "flow", "flows")} from runs that have not completed`,
      long: "They may change when the run ends.",
    });
  if (gaps.unbound > 0)
    found.push({
      code: "UNBOUND",
      short: `${count(gaps.unbound, "requested asset", "requested assets")} without a dataset`,
      long: "They lead to no dataset: a contract that governs none, an owner that owns none.",
    });
  if (gaps.silentOnFilters > 0)
    found.push({
      code: "SILENT_ON_FILTERS",
      short: `${count(gaps.silentOnFilters, "job", "jobs")} without filters and joins`,
      long: `Their producer${gaps.silentProducers.length > 0 ? ` (${formatList(gaps.silentProducers)})` : ""} states no filters or joins: what depends on the data through those is not in the answer.`,
    });
  if (gaps.knownLater.length > 0)
    found.push({
      short: `${count(gaps.knownLater.length, "kind", "kinds")} of relation known only later`,
      long: `The answer is as of an earlier time. First stated after it: ${formatList(
        gaps.knownLater.map((one) => `${nameValue(one.relation)} by ${one.sourceKind} (${formatTime(one.since)})`),
      )}.`,
    });
  return found;
}

export const text = {
  title: "meshline",
  tagline: "What breaks, and whose is it.",
  skip: "Skip to the content",
  menu: "Menu",
  menuLabel: "Pages",
  groups: { Ask: "Ask", Mesh: "The mesh", State: "Its state" },
  searchLabel: "Search the mesh",
  searchPlaceholder: "A table, column, job, product, team …",
  loading: "Loading …",
  retry: "Try again",
  more: "Show more",
  nextRows: "Next 1,000",
  firstRows: "Back to the first",
  copy: "Copy",
  copied: "Copied",
  copyLink: "Copy link",
  copyMarkdown: "Copy as Markdown",
  copyCommand: "Copy the command",
  csv: "Save as CSV",
  sourcesHelp:
    "A dataset is described by a source that lists its columns. Sources of a sync are read from time to time. Events and statements by hand are sent to the server; there is no time of theirs here.",
  factsHelp: "What each source states about it. Where they differ, the page shows the one that is marked.",
  modeHelp: "Mode: in usage, lineage makes a verdict milder where it is complete and nothing reads the data.",
  profileHelp:
    "Profile: mesh protects readers and writers, and what contracts promise; consumer protects readers that keep the old version.",
  emptyColumns: "Not stated for any row that is shown:",
  recipientsOfCheck: "The number contains the owners of what is changed, and of the dataset that it is in:",
  restricted: "You may see only some assets of this mesh: lists, searches and counts are of those.",
  hiddenConsumers: "consumers that you may not see",
  policiesUnchecked: "policies not evaluated",
  hiddenViolations: "of assets that you may not see",
  ownersOfChanged: "Owners of what is changed itself:",
  ownersOfChangedToo: "A check of the change notifies them too; below are only the owners of what it affects.",
  theme: "Theme",
  themes: { system: "System", light: "Light", dark: "Dark" },
  signIn: "Sign in",
  signOut: "Sign out",
  signInTitle: "Sign in",
  signInHelp: "The identity provider of your organisation asks who you are, and leads you back to this page.",
  sessionEnded: "Your session has ended. Sign in again: you come back to this page.",
  token: "Token",
  tokenTitle: "This server asks for a token",
  tokenHelp:
    "An administrator makes one with `meshline token new NAME --role reader`. It is kept in the memory of this page only: a reload forgets it.",
  tokenRefused: "The server did not accept the token.",
  tokenUse: "Use token",
  tokenForget: "Forget token",
  cancel: "Cancel",
  away: "The server cannot be reached. What is shown may be old.",
  newer: (revision: number) => `The graph has changed (revision ${formatNumber(revision)}).`,
  showNewer: "Show the current graph",
  complete: "Complete: no gap in this answer is known.",
  incomplete: (gaps: string) => `Not certain: ${gaps}.`,
  asOf: (time: string) => `As of ${time}.`,
  revision: (revision: number) => `Revision ${formatNumber(revision)}`,
  unknownPage: "There is no such page",
  unknownAsset: "There is no such asset",
  unknownAssetHelp: "No source states anything about it (any more), or the link is not complete.",
  unknownThen: "No source had stated anything about it by that time, or the link is not complete.",
  browsed:
    "You may see that it exists, and not what is in it: columns, runs, checks, contracts and the rest are not shown to you. Ask its owners.",
  tabPresent: "These are of the present: they cannot be asked for an earlier time.",
  unknownRun: "There is no such run",
  unknownRunHelp: "No event of it was received, its record is not kept any more, or the link is not complete.",
  forbidden: "Your token does not have the role that this needs.",
  none: "None.",
  behind: "Show the list",
  time: "Time",
  timePast: "Time: past",
  timeHelp: "Show what was known at an earlier time. The link of the page keeps it.",
  timeWords: "In words",
  timeExact: "Or date and time",
  timeRefused: "This is no time: write yesterday, 3 days ago, 2h, or a date such as 2026-11-03.",
  timeUnread: "The time in the address cannot be read: the present is shown.",
  showPast: "Show that time",
  showPresent: "Show the present",
  past: "You see the past, as of",
  present: "The present is shown.",
  future: "This time has not come: you see what is known now.",
  pastUnknown: "This page shows the present: it cannot be answered as of an earlier time.",
} as const;
