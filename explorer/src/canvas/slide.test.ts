import { expect, test } from "vitest";
import { computeLayout, type Place } from "./layout";
import { buildPicture, FIRST_VIEW, mergeAnswer, NOTHING } from "./model";
import { makeEdge, makeNode } from "./samples";
import { boxOf, buildScene, listBoxes, type Scene } from "./scene";
import { blendScenes, canSlide } from "./slide";

function makeScene(ids: string[], places: Record<string, Place>): Scene {
  const nodes = ids.map((id) => makeNode(id, { start: true }));
  const edges = ids.slice(1).map((id) => makeEdge(ids[0]!, id));
  const picture = buildPicture(mergeAnswer(NOTHING, { nodes, edges }), FIRST_VIEW);
  const { boxes, links } = listBoxes(picture, false);
  return buildScene(picture, { ...computeLayout(boxes, links), places: new Map(Object.entries(places)) }, false);
}

const old = makeScene(["a", "b"], { a: { layer: 0, y: 0 }, b: { layer: 1, y: 0 } });
const next = makeScene(["a", "b", "c"], { a: { layer: 0, y: 0 }, b: { layer: 1, y: 100 }, c: { layer: 1, y: 300 } });
const at = (scene: Scene, id: string) => {
  const { x, y } = boxOf(scene, scene.picture.cardOf.get(id)!);
  return [x, y];
};

test("boxes slide from their old places, and a new one from the box it is tied to", () => {
  const first = blendScenes(old, next, 0);
  expect([at(first, "a"), at(first, "b"), at(first, "c")]).toEqual([at(old, "a"), at(old, "b"), at(old, "a")]);
  const [, middle] = at(blendScenes(old, next, 0.5), "b");
  expect(middle).toBeGreaterThan(0);
  expect(middle).toBeLessThan(100);
  expect(blendScenes(old, next, 1)).toBe(next);
});

test("lines end at their boxes all the way", () => {
  for (const part of [0, 0.3, 0.7]) {
    const scene = blendScenes(old, next, part);
    scene.picture.lines.forEach((line, i) => {
      const path = scene.paths[i]!;
      const [from, to] = [boxOf(scene, line.from), boxOf(scene, line.to)];
      expect(path[0]).toBeCloseTo(from.x + from.width, 3);
      expect(path.at(-2)).toBeCloseTo(to.x, 3);
      expect(path.at(-1)! - to.y).toBeCloseTo(next.paths[i]!.at(-1)! - boxOf(next, line.to).y, 3);
      expect(scene.reaches[i * 4 + 3]).toBeGreaterThanOrEqual(Math.max(path[1]!, path.at(-1)!));
    });
  }
});

test("only pictures that have boxes in common slide", () => {
  expect(canSlide(old, next)).toBe(true);
  expect([canSlide(null, next), canSlide(next, next), canSlide(makeScene(["z"], { z: { layer: 0, y: 0 } }), next)]).toEqual([
    false,
    false,
    false,
  ]);
});
