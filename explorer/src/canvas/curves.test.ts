import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLong, pointOnCurve, splitCurve } from "./curves";

const place = fc.integer({ min: -20_000, max: 20_000 });

describe("splitCurve", () => {
  test("has every point of the curve that is in the window, and little beside it", () => {
    fc.assert(
      fc.property(place, place, place, place, place, place, fc.boolean(), (ax, ay, bx, by, left, top, flat) => {
        fc.pre(isLong(ax, ay, bx, by));
        const [right, bottom] = [left + 1600, top + 900];
        const ends = splitCurve(ax, ay, bx, by, top, bottom, left, right, flat);
        const covered: [number, number][] = [];
        for (let at = 0; at < ends.length; at += 8) covered.push([ends[at]!, ends[at + 1]!], [ends[at + 6]!, ends[at + 7]!]);
        // Both coordinates run one way, so that a point between the first start and the last end is covered.
        const between = (value: number, a: number, b: number) => value >= Math.min(a, b) - 0.01 && value <= Math.max(a, b) + 0.01;
        for (let i = 0; i <= 200; i++) {
          const t = i / 200;
          const [x, y] = flat ? [ax + (bx - ax) * t, ay + (by - ay) * t] : pointOnCurve(ax, ay, bx, by, t);
          if (x < left || x > right || y < top || y > bottom) continue;
          expect(covered.length).toBeGreaterThan(0);
          expect(between(x, covered[0]![0], covered.at(-1)![0])).toBe(true);
          expect(between(y, covered[0]![1], covered.at(-1)![1])).toBe(true);
        }
        // At most one stretch stands out at each side.
        const outside = (x: number, y: number) => x < left || x > right || y < top || y > bottom;
        const out = Array.from({ length: ends.length / 8 }, (_, i) => i * 8).filter(
          (at) => outside(ends[at]!, ends[at + 1]!) && outside(ends[at + 6]!, ends[at + 7]!),
        );
        expect(out.length).toBeLessThanOrEqual(2);
      }),
      { seed: 13, numRuns: 300 },
    );
  });

  test("follows the curve: the middle of each stretch is a point of it", () => {
    const [ax, ay, bx, by] = [0, 0, 130, 9000];
    const ends = splitCurve(ax, ay, bx, by, -1e6, 1e6, -1e6, 1e6, false);
    const count = ends.length / 8;
    expect(count).toBeGreaterThan(20);
    for (let i = 0; i < count; i++) {
      const at = i * 8;
      const middle = [0, 1].map(
        (axis) => (ends[at + axis]! + 3 * ends[at + 2 + axis]! + 3 * ends[at + 4 + axis]! + ends[at + 6 + axis]!) / 8,
      );
      const wanted = pointOnCurve(ax, ay, bx, by, (i + 0.5) / count);
      expect(middle[0]).toBeCloseTo(wanted[0], 3);
      expect(middle[1]).toBeCloseTo(wanted[1], 3);
    }
  });

  test("cuts at the same places wherever the window is", () => {
    const starts = (top: number) => splitCurve(0, 0, 130, 9000, top, top + 900, -100, 300, false).filter((_, i) => i % 8 === 1);
    const shared = starts(3000).filter((y) => y > 3150 && y < 3850);
    expect(shared.length).toBeGreaterThan(0);
    expect(starts(3100)).toEqual(expect.arrayContaining(shared));
  });
});
