import { expect, test } from "vitest";
import { findStop, listStops } from "./stops";

const span = (day: number, added: number, removed = 0, moved = 0) => ({
  ...{ at: `2026-11-0${day}T00:00:00Z`, until: `2026-11-0${day + 1}T00:00:00Z`, added, removed, moved },
});

test("a stop for each span that changed something, one before them, and the present", () => {
  const stops = listStops([span(1, 0), span(2, 3), span(3, 0), span(4, 0, 2, 1)]);
  expect(stops.map((stop) => stop.at)).toEqual(["2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z", "2026-11-05T00:00:00Z", null]);
  expect(stops.map((stop) => stop.words)).toEqual(["before these changes", "3 added", "2 removed, 1 renamed or dropped", ""]);
  expect(listStops([span(1, 0)])).toEqual([{ at: null, words: "" }]);
});

test("a time is at the last stop that is not after it; no time is the present", () => {
  const stops = listStops([span(2, 3), span(4, 1)]);
  expect(["2026-11-01T00:00:00Z", "2026-11-04T12:00:00Z", "2026-11-05T00:00:00.000Z", null].map((at) => findStop(stops, at))).toEqual([
    0, 1, 2, 3,
  ]);
});
