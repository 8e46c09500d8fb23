/** cytoscape, with the settings that its documentation advises for large graphs, on places of our layout. */
import cytoscape from "cytoscape";
import { computeLayout } from "../src/canvas/layout";
import type { growMesh } from "../src/canvas/meshes";
import { STEP } from "../src/canvas/scene";
import type { Drawing } from "./drawing";

export async function draw(root: HTMLElement, mesh: ReturnType<typeof growMesh>): Promise<Drawing> {
  const began = performance.now();
  const { places } = computeLayout(mesh.boxes, mesh.links);
  const layout = performance.now() - began;
  const flow = cytoscape({
    container: root,
    elements: [
      ...mesh.boxes.map(({ id }) => ({ data: { id }, position: { x: places.get(id)!.layer * STEP, y: places.get(id)!.y } })),
      ...mesh.links.map(({ from, to }) => ({ data: { source: from, target: to } })),
    ],
    style: [
      { selector: "node", style: { shape: "round-rectangle", width: 220, height: 52, label: "data(id)", "min-zoomed-font-size": 8 } },
      { selector: "edge", style: { width: 1, "curve-style": "haystack" } },
    ],
    layout: { name: "preset" },
    minZoom: 0.01,
    hideEdgesOnViewport: false,
    textureOnViewport: false,
  });
  return {
    layout,
    look(zoom) {
      if (zoom === "fit") flow.fit();
      else flow.viewport({ zoom, pan: { x: 0, y: 450 } });
    },
    pan(dx, dy) {
      flow.panBy({ x: dx, y: dy });
    },
  };
}
