/** The canvas element: draws the scene when something has changed, and turns pointers into what they mean. Hidden from screen readers, which have the tree. */
import { type PointerEvent, type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";
import { drawScene } from "./drawing";
import type { Lights } from "./lights";
import type { Palette } from "./palette";
import { findHit, type Hit, type Scene } from "./scene";
import { blendScenes, canSlide, SLIDE_MS } from "./slide";
import { fit, pan, type Size, toPicture, type Viewport, zoomAt } from "./viewport";

export interface SurfaceProps {
  scene: Scene | null;
  viewport: Viewport;
  setViewport(next: Viewport): void;
  sizeRef: RefObject<Size>;
  palette: Palette;
  lights: Lights;
  onHit(hit: Hit | null, how: "click" | "double" | "hover"): void;
  onMenu(hit: Hit, at: { x: number; y: number }): void;
}

const CLICK_MOVES = 4;

export function Surface({ scene, viewport, setViewport, sizeRef, palette, lights, onHit, onMenu }: SurfaceProps) {
  const canvasRef = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState<Size>(sizeRef.current);
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const moved = useRef(0);
  /** The last drawing, and what the scene slides from. */
  const drawing = useRef<Scene | null>(null);
  const slide = useRef<{ from: Scene | null; to: Scene; start: number } | null>(null);
  const latest = useRef({ viewport, setViewport });
  latest.current = { viewport, setViewport };

  useLayoutEffect(() => {
    const canvas = canvasRef.current!;
    const observer = new ResizeObserver(() => {
      const next = { width: Math.max(1, canvas.clientWidth), height: Math.max(1, canvas.clientHeight) };
      sizeRef.current = next;
      setSize(next);
    });
    observer.observe(canvas);
    return () => observer.disconnect();
  }, [sizeRef]);

  useEffect(() => {
    const canvas = canvasRef.current!;
    const context = canvas.getContext("2d", { alpha: false });
    if (!context || !scene) return;
    if (slide.current?.to !== scene) {
      const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      const from = !still && canSlide(drawing.current, scene) ? drawing.current : null;
      slide.current = { from, to: scene, start: performance.now() };
    }
    const { from, start: begin } = slide.current;
    const draw = (now: number) => {
      const part = from ? (now - begin) / SLIDE_MS : 1;
      const shown = from ? blendScenes(from, scene, part) : scene;
      const ratio = Math.min(window.devicePixelRatio || 1, 2);
      const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const start = performance.now();
      const drawn = drawScene(context, shown, viewport, size, ratio, palette, lights);
      canvas.dataset.cards = String(drawn.cards);
      canvas.dataset.lines = String(drawn.lines);
      canvas.dataset.script = (performance.now() - start).toFixed(2);
      drawing.current = shown;
      if (part >= 1) return;
      canvas.dataset.slides = String(Number(canvas.dataset.slides ?? 0) + 1);
      frame = requestAnimationFrame(draw);
    };
    let frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, [scene, viewport, size, palette, lights]);

  // The wheel must be heard actively, so that the page does not scroll with it.
  useEffect(() => {
    const canvas = canvasRef.current!;
    const turn = (event: WheelEvent) => {
      event.preventDefault();
      const { viewport: view, setViewport: set } = latest.current;
      const unit = event.deltaMode === 1 ? 16 : 1;
      if (event.shiftKey) set(pan(view, -(event.deltaX || event.deltaY) * unit, 0));
      else if (!event.ctrlKey && Math.abs(event.deltaX) > Math.abs(event.deltaY)) set(pan(view, -event.deltaX * unit, 0));
      else
        set(zoomAt(view, sizeRef.current, event.offsetX, event.offsetY, Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0015))));
    };
    canvas.addEventListener("wheel", turn, { passive: false });
    return () => canvas.removeEventListener("wheel", turn);
  }, [sizeRef]);

  const hitAt = (event: { clientX: number; clientY: number }): Hit | null => {
    if (!scene) return null;
    const box = canvasRef.current!.getBoundingClientRect();
    const [x, y] = toPicture(viewport, size, event.clientX - box.left, event.clientY - box.top);
    return findHit(scene, x, y, viewport.zoom);
  };

  const press = (event: PointerEvent) => {
    if (event.button !== 0) return;
    canvasRef.current!.setPointerCapture(event.pointerId);
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.current.size === 1) moved.current = 0;
  };
  const move = (event: PointerEvent) => {
    const from = pointers.current.get(event.pointerId);
    if (!from) {
      const hit = hitAt(event);
      canvasRef.current!.style.cursor = hit ? "pointer" : "grab";
      onHit(hit, "hover");
      return;
    }
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    moved.current += Math.abs(dx) + Math.abs(dy);
    const others = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    const other = others[0];
    if (other) {
      // Two fingers: the distance is the zoom, the middle the move.
      const box = canvasRef.current!.getBoundingClientRect();
      const before = Math.hypot(from.x - other.x, from.y - other.y);
      const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      const middle = [(event.clientX + other.x) / 2 - box.left, (event.clientY + other.y) / 2 - box.top] as const;
      setViewport(pan(zoomAt(viewport, size, middle[0], middle[1], after / Math.max(before, 1)), dx / 2, dy / 2));
    } else if (moved.current > CLICK_MOVES) setViewport(pan(viewport, dx, dy));
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
  };
  const release = (event: PointerEvent) => {
    const pressed = pointers.current.delete(event.pointerId);
    if (pressed && moved.current <= CLICK_MOVES && event.type === "pointerup") onHit(hitAt(event), "click");
  };

  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a canvas without tabindex takes no focus
    <canvas
      ref={canvasRef}
      aria-hidden="true"
      className="canvas-surface"
      data-zoom={viewport.zoom.toFixed(3)}
      onPointerDown={press}
      onPointerMove={move}
      onPointerUp={release}
      onPointerCancel={release}
      onPointerLeave={() => onHit(null, "hover")}
      onDoubleClick={(event) => onHit(hitAt(event), "double")}
      onContextMenu={(event) => {
        const hit = hitAt(event);
        if (!hit) return;
        event.preventDefault();
        onMenu(hit, { x: event.clientX, y: event.clientY });
      }}
    />
  );
}

/** The first look: everything if it can be read, else the focus at a size that can. */
export function chooseViewport(scene: Scene, size: Size): Viewport {
  const all = fit(scene.bounds, size);
  const start = scene.picture.cards.findIndex((card) => card.node.start);
  if (all.zoom >= 0.55 || start < 0) return all;
  const at = start * 4;
  return {
    x: scene.boxes[at]! + scene.boxes[at + 2]! / 2,
    y: scene.boxes[at + 1]! + Math.min(scene.boxes[at + 3]! / 2, size.height / 2),
    zoom: Math.max(all.zoom, 0.75),
  };
}
