/** Seeded graphs for the bench page and the tests: ten layers, mostly short links, the same for the same seed. */
import type { Box, Link } from "./layout";

/** Mulberry32: small, seeded, good enough for pictures. */
export function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function growMesh(count: number, seed = 13): { boxes: Box[]; links: Link[] } {
  const random = makeRandom(seed);
  const width = Math.ceil(count / 10);
  const boxes = Array.from({ length: count }, (_, i): Box => ({ id: `d${i}`, height: 52 }));
  const links: Link[] = [];
  for (let i = width; i < count; i++) {
    const layer = Math.floor(i / width);
    const inputs = 1 + Math.floor(random() * random() * 3);
    const seen = new Set<number>();
    for (let n = 0; n < inputs; n++) {
      const source = random() < 0.85 ? layer - 1 : Math.floor(random() * layer);
      const spot = Math.round((i % width) + (random() - 0.5) * width * 0.1);
      const from = source * width + Math.max(0, Math.min(width - 1, spot));
      if (!seen.has(from)) links.push({ from: `d${from}`, to: `d${i}` });
      seen.add(from);
    }
  }
  return { boxes, links };
}
