/** Scenes between an old picture and a new one, so that a reader sees where each box went. Pure. */
import type { Scene } from "./scene";

export const SLIDE_MS = 220;
/** Of more boxes no one follows where each goes, and every frame would cost. */
const MOST_SLIDING = 400;

export function canSlide(old: Scene | null, next: Scene): old is Scene {
  return (
    old !== null &&
    old !== next &&
    next.picture.cards.length <= MOST_SLIDING &&
    next.picture.cards.some(({ id }) => old.picture.cardOf.has(id))
  );
}

/** The new scene on its way: at 0 every box that was there is at its old place, and a new one at that of a box it is tied to; at 1 it is `next`. */
export function blendScenes(old: Scene, next: Scene, part: number): Scene {
  if (part >= 1) return next;
  const share = part < 0 ? 0 : 1 - (1 - part) ** 3; // fast at first, and it comes to rest
  const { cards, lines } = next.picture;
  const moves = new Float32Array(cards.length * 2); // from the new place to where the box begins
  const known = new Uint8Array(cards.length);
  cards.forEach(({ id }, i) => {
    const at = old.picture.cardOf.get(id);
    if (at === undefined || old.picture.cards[at]!.id !== id) return;
    moves[i * 2] = old.boxes[at * 4]! - next.boxes[i * 4]!;
    moves[i * 2 + 1] = old.boxes[at * 4 + 1]! - next.boxes[i * 4 + 1]!;
    known[i] = 1;
  });
  for (const { from, to } of lines)
    for (const [fresh, there] of [
      [from, to],
      [to, from],
    ] as const) {
      if (known[fresh] || known[there] !== 1) continue;
      moves[fresh * 2] = next.boxes[there * 4]! + moves[there * 2]! - next.boxes[fresh * 4]!;
      moves[fresh * 2 + 1] = next.boxes[there * 4 + 1]! + moves[there * 2 + 1]! - next.boxes[fresh * 4 + 1]!;
      known[fresh] = 2;
    }
  const left = 1 - share;
  const boxes = Float32Array.from(next.boxes);
  for (let i = 0; i < cards.length; i++) {
    boxes[i * 4]! += moves[i * 2]! * left;
    boxes[i * 4 + 1]! += moves[i * 2 + 1]! * left;
  }
  // A corner moves as the ends of its line do, by how near it is to each.
  const paths = next.paths.map((path, line) => {
    const { from, to } = lines[line]!;
    const moved = Float32Array.from(path);
    const last = path.length / 2 - 1;
    for (let corner = 0; corner <= last; corner++) {
      const along = corner / last;
      for (const axis of [0, 1])
        moved[corner * 2 + axis]! += (moves[from * 2 + axis]! * (1 - along) + moves[to * 2 + axis]! * along) * left;
    }
    return moved;
  });
  const reaches = new Float32Array(next.reaches.length);
  paths.forEach((path, line) => {
    let [x, y, right, bottom] = [path[0]!, path[1]!, path[0]!, path[1]!];
    for (let i = 2; i < path.length; i += 2) {
      [x, right] = [Math.min(x, path[i]!), Math.max(right, path[i]!)];
      [y, bottom] = [Math.min(y, path[i + 1]!), Math.max(bottom, path[i + 1]!)];
    }
    reaches.set([x, y, right, bottom], line * 4);
  });
  return { ...next, boxes, paths, reaches };
}
