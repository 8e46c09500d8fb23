/** React Flow, drawing only what is visible, on places of our layout. */
import "@xyflow/react/dist/style.css";
import { Handle, Position, ReactFlow, type ReactFlowInstance } from "@xyflow/react";
import { memo } from "react";
import { createRoot } from "react-dom/client";
import { computeLayout } from "../src/canvas/layout";
import type { growMesh } from "../src/canvas/meshes";
import { STEP } from "../src/canvas/scene";
import type { Drawing } from "./drawing";

const Card = memo(({ id }: { id: string }) => (
  <div className="node">
    <Handle type="target" position={Position.Left} />
    {id}
    <Handle type="source" position={Position.Right} />
  </div>
));
const TYPES = { card: Card };

export function draw(root: HTMLElement, mesh: ReturnType<typeof growMesh>): Promise<Drawing> {
  const began = performance.now();
  const { places } = computeLayout(mesh.boxes, mesh.links);
  const layout = performance.now() - began;
  const nodes = mesh.boxes.map(({ id }) => {
    const { layer, y } = places.get(id)!;
    return { id, type: "card", position: { x: layer * STEP, y }, data: {}, width: 220, height: 52 };
  });
  const edges = mesh.links.map(({ from, to }) => ({ id: `${from} ${to}`, source: from, target: to }));
  return new Promise((resolve) => {
    const ready = (flow: ReactFlowInstance<(typeof nodes)[number]>) =>
      resolve({
        layout,
        look(zoom) {
          if (zoom === "fit") void flow.fitView();
          else void flow.setViewport({ x: 0, y: 450, zoom });
        },
        pan(dx, dy) {
          const view = flow.getViewport();
          void flow.setViewport({ x: view.x + dx, y: view.y + dy, zoom: view.zoom });
        },
      });
    createRoot(root).render(
      <ReactFlow nodes={nodes} edges={edges} nodeTypes={TYPES} minZoom={0.01} onlyRenderVisibleElements onInit={ready} />,
    );
  });
}
