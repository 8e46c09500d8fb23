/** The curve that leaves and arrives level, as lines between layers are drawn, and the stretches of it that cross a window. Pure. */

/** The length of a stretch; curves up to twice this long are traced whole. */
const STRETCH = 320;

export function isLong(fromX: number, fromY: number, toX: number, toY: number): boolean {
  return Math.abs(toX - fromX) + Math.abs(toY - fromY) > 2 * STRETCH;
}

/** A point of the curve: its controls stand half way between its ends, at the heights of them. */
export function pointOnCurve(ax: number, ay: number, bx: number, by: number, t: number): [number, number] {
  const s = 1 - t;
  const middle = (ax + bx) / 2;
  return [
    s ** 3 * ax + 3 * s * s * t * middle + 3 * s * t * t * middle + t ** 3 * bx,
    (s ** 3 + 3 * s * s * t) * ay + (3 * s * t * t + t ** 3) * by,
  ];
}

/**
 * The stretches of a long curve that may cross the window, eight numbers each: start, two controls, end. The curve is cut at the same
 * places wherever the window is. `flat`: a straight line instead. Both coordinates run one way only, so the stretches are neighbours.
 */
export function splitCurve(
  ax: number,
  ay: number,
  bx: number,
  by: number,
  top: number,
  bottom: number,
  left: number,
  right: number,
  flat: boolean,
): number[] {
  const count = Math.ceil((Math.abs(bx - ax) + Math.abs(by - ay)) / STRETCH);
  const at = (i: number): [number, number] =>
    flat ? [ax + ((bx - ax) * i) / count, ay + ((by - ay) * i) / count] : pointOnCurve(ax, ay, bx, by, i / count);
  // Before the first stretch all ends lie on the side of the window from which the curve comes; behind the last one, on the other.
  const isBefore = (i: number): boolean => {
    const [x, y] = at(i);
    return (bx >= ax ? x < left : x > right) || (by >= ay ? y < top : y > bottom);
  };
  const isBehind = (i: number): boolean => {
    const [x, y] = at(i);
    return (bx >= ax ? x > right : x < left) || (by >= ay ? y > bottom : y < top);
  };
  const first = search(count, (i) => !isBefore(i + 1));
  const last = search(count, isBehind);
  const ends: number[] = [];
  for (let i = first; i < last; i++) {
    const [x0, y0] = at(i);
    const [x3, y3] = at(i + 1);
    if (flat) {
      ends.push(x0, y0, x0, y0, x3, y3, x3, y3);
      continue;
    }
    // The controls of a stretch: from its ends along the tangents, a third of the way.
    const [dx0, dy0] = slopeOfCurve(ax, ay, bx, by, i / count);
    const [dx3, dy3] = slopeOfCurve(ax, ay, bx, by, (i + 1) / count);
    const third = 1 / (3 * count);
    ends.push(x0, y0, x0 + dx0 * third, y0 + dy0 * third, x3 - dx3 * third, y3 - dy3 * third, x3, y3);
  }
  return ends;
}

function slopeOfCurve(ax: number, ay: number, bx: number, by: number, t: number): [number, number] {
  const s = 1 - t;
  const half = (bx - ax) / 2;
  return [3 * half * (s * s + t * t), 6 * s * t * (by - ay)];
}

/** The least number below `count` that passes, given that all behind it pass, too; else `count`. */
function search(count: number, passes: (i: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
