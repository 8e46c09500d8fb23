/** The page of the bench: one library draws one seeded graph, and moves it when asked. `?library=canvas&count=500`. */
import { growMesh } from "../src/canvas/meshes";
import type { Drawing } from "./drawing";

const LIBRARIES: Record<string, () => Promise<{ draw(root: HTMLElement, mesh: ReturnType<typeof growMesh>): Promise<Drawing> }>> = {
  canvas: () => import("./canvas"),
  "react-flow": () => import("./react_flow"),
  cytoscape: () => import("./cytoscape"),
};

const search = new URLSearchParams(location.search);
const library = LIBRARIES[search.get("library") ?? "canvas"]!;
const mesh = growMesh(Number(search.get("count") ?? "500"));

const nextFrame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));

async function start(): Promise<void> {
  const { draw } = await library();
  const began = performance.now();
  const drawing = await draw(document.getElementById("root")!, mesh);
  await nextFrame();
  const first = performance.now() - began;

  /** Moves the picture to and fro at a zoom, one step a frame, and gives the length of each frame. */
  const move = async (zoom: number | "fit", frames: number) => {
    drawing.look(zoom);
    await nextFrame();
    await nextFrame();
    const lengths: number[] = [];
    let last = await nextFrame();
    for (let i = 0; i < frames; i++) {
      drawing.pan(i < frames / 2 ? -12 : 12, i % 2 === 0 ? 5 : -5);
      const now = await nextFrame();
      lengths.push(now - last);
      last = now;
    }
    return lengths;
  };
  Object.assign(window, { bench: { first, layout: drawing.layout, move, drawScript: () => drawing.script?.() ?? null } });
}

void start();
