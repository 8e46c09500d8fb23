/** Times as people write them: `yesterday`, `3 days ago`, `2h`, or a date. */

const UNITS: Record<string, "minute" | "hour" | "day" | "week" | "month" | "year"> = {
  min: "minute",
  minute: "minute",
  h: "hour",
  hour: "hour",
  d: "day",
  day: "day",
  w: "week",
  week: "week",
  month: "month",
  y: "year",
  year: "year",
};
const NUMBERS: Record<string, number> = { a: 1, an: 1, one: 1, two: 2, three: 3, last: 1 };
const MILLISECONDS = { minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 604_800_000 };

function goBack(now: Date, size: number, unit: (typeof UNITS)[string]): Date {
  if (unit !== "month" && unit !== "year") return new Date(now.getTime() - size * MILLISECONDS[unit]);
  const months = unit === "year" ? size * 12 : size;
  const first = new Date(now.getFullYear(), now.getMonth() - months, 1, now.getHours(), now.getMinutes(), now.getSeconds());
  const days = new Date(first.getFullYear(), first.getMonth() + 1, 0).getDate(); // 31 March less a month is 28 February
  first.setDate(Math.min(now.getDate(), days));
  return first;
}

/** The time that a text of words means, or null if it is none; `yesterday` is this time of the day before. */
export function parseWords(given: string, now: Date = new Date()): Date | null {
  const words = given
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_+]+/g, " ");
  if (words === "now") return now;
  if (words === "today") return new Date(now.getFullYear(), now.getMonth(), now.getDate());
  if (words === "yesterday") return goBack(now, 1, "day");
  const match = /^(last|(?:a|an|one|two|three|\d{1,5})(?= ?[a-z])) ?([a-z]+?)s?( ago)?$/.exec(words);
  if (!match) return null;
  const [, number = "", name = "", ago] = match;
  const unit = UNITS[name];
  if (!unit || (number === "last" && ago)) return null;
  const found = goBack(now, NUMBERS[number] ?? Number(number), unit);
  return Number.isNaN(found.getTime()) ? null : found;
}

/** The time that a text means, in ISO form; null if it is none. A date without a time of day is its beginning here. */
export function parseTime(given: string, now: Date = new Date()): string | null {
  const found = parseWords(given, now) ?? parseDate(given.trim());
  return found === null || Number.isNaN(found.getTime()) ? null : found.toISOString();
}

function parseDate(given: string): Date | null {
  if (/^\d{4}-\d\d-\d\d$/.test(given)) return new Date(`${given}T00:00`);
  // A `+` of an address is a space by the time it is read.
  return /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(given) ? new Date(given.replace(/^([\d-]+) /, "$1T").replace(/ (\d\d:\d\d)$/, "+$1")) : null;
}

/** A time as the field for local dates and times writes it. */
export function writeLocal(iso: string): string {
  const time = new Date(iso);
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const RELATIVE = ["asOf", "from", "to"];

/** These parameters with times instead of words, so that the address means the same tomorrow; null if it has no such words. */
export function fixTimes(search: URLSearchParams, now: Date = new Date()): URLSearchParams | null {
  const fixed = new URLSearchParams(search);
  let changed = false;
  for (const name of RELATIVE) {
    const given = search.get(name);
    const found = given ? parseWords(given, now) : null;
    if (found === null) continue;
    changed = true;
    if (name === "asOf" && found === now) fixed.delete(name);
    else fixed.set(name, found.toISOString());
  }
  return changed ? fixed : null;
}
