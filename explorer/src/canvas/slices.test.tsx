import { act } from "react";
import { createRoot } from "react-dom/client";
import { describe, expect, test, vi } from "vitest";
import { finish, runInSlices, type Steps, useSlices } from "./slices";

const fail = (found: unknown) => {
  throw new Error(String(found));
};

function* count(to: number, onStep: () => void = () => {}): Steps<number> {
  for (let i = 0; i < to; i++) {
    onStep();
    yield;
  }
  return to;
}

/** A clock on which each step takes five milliseconds. */
function makeClock() {
  const waiting: (() => void)[] = [];
  let time = 0;
  return { waiting, tick: () => (time += 5), clock: { now: () => time, later: (work: () => void) => waiting.push(work) } };
}

describe("work in slices", () => {
  test("short work is done at once, long work in tasks of some milliseconds each", () => {
    const { waiting, tick, clock } = makeClock();
    const values: number[] = [];
    runInSlices(count(2, tick), (value) => values.push(value), fail, clock);
    expect([values, waiting.length]).toEqual([[2], 0]);
    runInSlices(count(100, tick), (value) => values.push(value), fail, clock);
    let tasks = 1;
    for (let work = waiting.shift(); work; work = waiting.shift(), tasks++) {
      const before = clock.now();
      work();
      expect(clock.now() - before).toBeLessThanOrEqual(20);
    }
    expect(values).toEqual([2, 100]);
    expect(tasks).toBeGreaterThan(25);
  });

  test("what is stopped gives nothing any more, and an error ends the work", () => {
    const { waiting, tick, clock } = makeClock();
    const stop = runInSlices(count(100, tick), fail, fail, clock);
    stop();
    for (const work of waiting.splice(0)) work();
    expect(waiting).toEqual([]);
    const errors: unknown[] = [];
    const broken = count(3, () => {
      throw new Error("broken");
    });
    runInSlices(broken, fail, (error) => errors.push(error), clock);
    expect(String(errors)).toBe("Error: broken");
    expect(() => finish(count(1, () => fail("at once")))).toThrow("at once");
  });

  test("a component shows the earlier value until large work is done, and never one that is out of date", async () => {
    vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
    const begins = [2, 400, 7].map((to) => () => count(to));
    const seen: [number, boolean][] = [];
    const Shown = ({ at, large }: { at: number; large: boolean }) => {
      seen.push(useSlices(begins[at]!, large, 0));
      return null;
    };
    const root = createRoot(document.createElement("div"));
    await act(async () => root.render(<Shown at={0} large={false} />));
    expect(seen).toEqual([[2, true]]);
    await act(async () => root.render(<Shown at={1} large={true} />));
    expect(seen[1]).toEqual([2, false]);
    const wait = async (expected: [number, boolean]) =>
      vi.waitFor(
        async () => {
          await act(async () => new Promise((resolve) => setTimeout(resolve, 5)));
          expect(seen.at(-1)).toEqual(expected);
        },
        { timeout: 60_000 },
      );
    await wait([400, true]);
    const before = seen.length;
    await act(async () => root.render(<Shown at={2} large={true} />));
    expect(seen[before]).toEqual([400, false]);
    await wait([7, true]);
    await act(async () => root.render(<Shown at={0} large={false} />));
    expect(seen.at(-1)).toEqual([2, true]);
    await act(async () => root.unmount());
    vi.unstubAllGlobals();
  });
});
