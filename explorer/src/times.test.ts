import { expect, test } from "vitest";
import { fixTimes, parseTime, parseWords, writeLocal } from "./times";

const NOW = new Date(2026, 2, 31, 14, 30);

test.each([
  ["now", NOW],
  ["today", new Date(2026, 2, 31)],
  ["yesterday", new Date(2026, 2, 30, 14, 30)],
  [" 3 days  ago", new Date(2026, 2, 28, 14, 30)],
  ["2h", new Date(2026, 2, 31, 12, 30)],
  ["an hour ago", new Date(2026, 2, 31, 13, 30)],
  ["last week", new Date(NOW.getTime() - 7 * 86_400_000)],
  ["a month ago", new Date(2026, 1, 28, 14, 30)],
  ["last year", new Date(2025, 2, 31, 14, 30)],
])("%s is a time", (words, time) => {
  expect(parseWords(words, NOW)?.getTime()).toBe(time.getTime());
});

test.each(["", "soon", "3", "-1 day", "3 days hence", "last", "ds_31", "constructor", "1 constructor ago", "99999 years ago x"])(
  "%s is no time",
  (words) => {
    expect(parseWords(words, NOW)).toBeNull();
    expect(parseTime(words, NOW)).toBeNull();
  },
);

test("a date is read with and without its zone", () => {
  expect(parseTime("2026-03-01T10:00:00Z")).toBe("2026-03-01T10:00:00.000Z");
  expect(parseTime("2026-03-01T10:00:00 02:00")).toBe("2026-03-01T08:00:00.000Z");
  expect(parseTime("2026-03-01")).toBe(new Date(2026, 2, 1).toISOString());
  expect(parseTime("2026-13-41")).toBeNull();
  expect(parseTime(writeLocal("2026-03-01T10:00:00.000Z"))).toBe("2026-03-01T10:00:00.000Z");
});

test("an address with words becomes one that means the same tomorrow", () => {
  const fixed = fixTimes(new URLSearchParams("of=x&asOf=yesterday&from=ds_1"), NOW);
  expect(fixed?.toString()).toBe(
    new URLSearchParams({ of: "x", asOf: new Date(2026, 2, 30, 14, 30).toISOString(), from: "ds_1" }).toString(),
  );
  expect(fixTimes(new URLSearchParams("asOf=2026-03-01T10:00:00Z&of=x"), NOW)).toBeNull();
  expect(fixTimes(new URLSearchParams("asOf=now&of=x"), NOW)?.toString()).toBe("of=x");
});
