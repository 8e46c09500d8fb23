import { describe, expect, test } from "vitest";
import { computeLayout } from "./layout";
import { buildPicture, FIRST_VIEW, mergeAnswer, NOTHING } from "./model";
import { makeEdge, makeNode } from "./samples";
import { boxOf, buildScene, describeStub, findHit, listBoxes, middleOf, stubOf } from "./scene";
import { fit, pan, reveal, toPicture, toWindow, visiblePart, zoomAt } from "./viewport";

const known = mergeAnswer(NOTHING, {
  nodes: [
    makeNode("a", { start: true, columns: 4, upstream: { direct: 0 }, downstream: { direct: 2 } }),
    makeNode("b", { upstream: { direct: 1 }, downstream: { direct: 5 }, domain: { id: "d", name: "Sales" } }),
    makeNode("c", { upstream: { direct: 1 }, downstream: { direct: 0 } }),
  ],
  edges: [makeEdge("a", "b"), makeEdge("a", "c"), makeEdge("c", "a")],
});

function draw(grouped = false) {
  const picture = buildPicture(known, { ...FIRST_VIEW, grouping: grouped ? "domain" : "none" });
  const { boxes, links } = listBoxes(picture, grouped);
  return buildScene(picture, computeLayout(boxes, links), grouped);
}

describe("findHit", () => {
  const scene = draw();
  const at = (id: string) => scene.picture.cardOf.get(id)!;

  test("finds cards, feet, buttons and lines, and nothing beside them", () => {
    const box = boxOf(scene, at("a"));
    expect(findHit(scene, box.x + 50, box.y + 10, 1)).toEqual({ kind: "card", card: at("a") });
    expect(findHit(scene, box.x + 50, box.y + box.height - 5, 1)).toEqual({ kind: "foot", card: at("a") });
    const stub = stubOf(scene, at("b"), "down");
    expect(findHit(scene, stub.x + stub.width - 3, stub.y + 5, 1)).toEqual({ kind: "stub", card: at("b"), side: "down" });
    scene.paths.forEach((path, line) => {
      if (scene.back[line]) return;
      const [x, y] = middleOf(path);
      expect(findHit(scene, x, y, 1)).toEqual({ kind: "line", line });
    });
    expect(findHit(scene, box.x + 50, box.y - 500, 1)).toBeNull();
  });

  test("far away there are no buttons", () => {
    const stub = stubOf(scene, at("b"), "down");
    expect(findHit(scene, stub.x + stub.width - 3, stub.y + 5, 0.2)).not.toMatchObject({ kind: "stub" });
  });

  test("buttons say how many neighbours are not shown", () => {
    const text = (id: string, side: "up" | "down") => describeStub(scene.picture.cards[at(id)]!, side);
    expect([text("b", "down"), text("b", "up"), text("a", "down")]).toEqual(["+5", null, "−"]);
  });

  test("a band is found by its title", () => {
    const grouped = draw(true);
    const at = grouped.bands.findIndex((one) => one.group?.id === "d");
    const band = grouped.bands[at]!;
    expect(findHit(grouped, band.x + 5, band.y + 5, 1)).toEqual({ kind: "band", band: at });
    expect(band.count).toBe(1);
  });
});

describe("viewport", () => {
  const size = { width: 800, height: 600 };

  test("window and picture are each other's inverse, and zooming keeps the point under the pointer", () => {
    const view = { x: 40, y: -7, zoom: 0.6 };
    const [x, y] = toPicture(view, size, 123, 456);
    expect(toWindow(view, size, x, y).map(Math.round)).toEqual([123, 456]);
    const closer = zoomAt(view, size, 123, 456, 1.7);
    expect(toWindow(closer, size, x, y).map(Math.round)).toEqual([123, 456]);
    expect(pan(view, 6, 0).x).toBeCloseTo(30);
  });

  test("fit shows everything, and reveal moves no more than it must", () => {
    const bounds = { x: -100, y: -50, width: 4000, height: 900 };
    const part = visiblePart(fit(bounds, size), size);
    expect(part.x).toBeLessThanOrEqual(bounds.x);
    expect(part.x + part.width).toBeGreaterThanOrEqual(bounds.x + bounds.width);
    for (const height of [540, 900, 3000]) {
      const high = { ...bounds, width: 400, height };
      const shown = fit(high, size);
      expect(toWindow(shown, size, 0, high.y + height)[1], "above the zoom buttons").toBeLessThanOrEqual(size.height - 48);
      expect(toWindow(shown, size, 0, high.y)[1]).toBeGreaterThanOrEqual(0);
    }
    const view = { x: 0, y: 0, zoom: 1 };
    expect(reveal(view, size, { x: 0, y: 0, width: 100, height: 50 })).toEqual(view);
    const moved = visiblePart(reveal(view, size, { x: 900, y: 0, width: 100, height: 50 }), size);
    expect(moved.x + moved.width).toBe(1060);
  });
});
