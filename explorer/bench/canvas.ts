/** Our canvas: the same layout, scene and drawing as the page. */
import { drawScene } from "../src/canvas/drawing";
import { computeLayout } from "../src/canvas/layout";
import type { Lights } from "../src/canvas/lights";
import type { growMesh } from "../src/canvas/meshes";
import { buildPicture, FIRST_VIEW, mergeAnswer, NOTHING } from "../src/canvas/model";
import { LIGHT } from "../src/canvas/palette";
import { makeEdge, makeNode } from "../src/canvas/samples";
import { buildScene, listBoxes } from "../src/canvas/scene";
import { fit, pan, type Viewport } from "../src/canvas/viewport";
import type { Drawing } from "./drawing";

const SIZE = { width: 1600, height: 900 };
const DARK: Lights = { focus: null, hovered: null, cone: null, pinned: null, marks: new Map(), line: null, found: new Set() };

export async function draw(root: HTMLElement, mesh: ReturnType<typeof growMesh>): Promise<Drawing> {
  const known = mergeAnswer(NOTHING, {
    nodes: mesh.boxes.map((box, i) => makeNode(box.id, { start: true, domain: { id: `g${i % 7}`, name: `domain ${i % 7}` } })),
    edges: mesh.links.map((link, i) => makeEdge(link.from, link.to, { reach: i % 5 === 0 ? "INDIRECT" : "DIRECT" })),
  });
  const picture = buildPicture(known, FIRST_VIEW);
  // All are shown because all are starts; a picture has one.
  for (const card of picture.cards.slice(1)) card.node = { ...card.node, start: false };
  const { boxes, links } = listBoxes(picture, false);
  const began = performance.now();
  const placed = computeLayout(boxes, links);
  const layout = performance.now() - began;
  const scene = buildScene(picture, placed, false);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, SIZE);
  root.append(canvas);
  const context = canvas.getContext("2d", { alpha: false })!;
  let view: Viewport = { x: scene.bounds.x + scene.bounds.width / 2, y: 0, zoom: 1 };
  let scripts: number[] = [];
  const redraw = () => {
    const start = performance.now();
    drawScene(context, scene, view, SIZE, 1, LIGHT, DARK);
    scripts.push(performance.now() - start);
  };
  redraw();
  return {
    layout,
    look(zoom) {
      view = zoom === "fit" ? fit(scene.bounds, SIZE) : { x: scene.bounds.x + scene.bounds.width / 2, y: 0, zoom };
      redraw();
    },
    pan(dx, dy) {
      view = pan(view, dx, dy);
      redraw();
    },
    script() {
      const done = scripts;
      scripts = [];
      return done;
    },
  };
}
