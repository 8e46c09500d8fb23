/** Which part of the picture is visible: the point in the middle, and the zoom. Pure. */
import type { Rect } from "./scene";

export interface Viewport {
  /** The point of the picture in the middle of the window. */
  x: number;
  y: number;
  zoom: number;
}

export interface Size {
  width: number;
  height: number;
}

export const LEAST_ZOOM = 0.02;
export const MOST_ZOOM = 3;

export function clampZoom(zoom: number): number {
  return Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, zoom));
}

/** The point of the picture at a point of the window. */
export function toPicture(view: Viewport, size: Size, x: number, y: number): [number, number] {
  return [view.x + (x - size.width / 2) / view.zoom, view.y + (y - size.height / 2) / view.zoom];
}

export function toWindow(view: Viewport, size: Size, x: number, y: number): [number, number] {
  return [(x - view.x) * view.zoom + size.width / 2, (y - view.y) * view.zoom + size.height / 2];
}

export function visiblePart(view: Viewport, size: Size): Rect {
  const [x, y] = toPicture(view, size, 0, 0);
  return { x, y, width: size.width / view.zoom, height: size.height / view.zoom };
}

export function pan(view: Viewport, dx: number, dy: number): Viewport {
  return { ...view, x: view.x - dx / view.zoom, y: view.y - dy / view.zoom };
}

/** Zooms so that the point of the picture under (x, y) stays there. */
export function zoomAt(view: Viewport, size: Size, x: number, y: number, factor: number): Viewport {
  const zoom = clampZoom(view.zoom * factor);
  const [px, py] = toPicture(view, size, x, y);
  return { x: px - (x - size.width / 2) / zoom, y: py - (y - size.height / 2) / zoom, zoom };
}

/** The height at the bottom that the zoom buttons cover. */
const BUTTONS = 48;

/** Everything visible, with a margin and above the zoom buttons, and never larger than life. */
export function fit(bounds: Rect, size: Size, margin = 48): Viewport {
  const height = Math.max(size.height - margin / 2 - BUTTONS, 1);
  const zoom = clampZoom(Math.min((size.width - margin) / Math.max(bounds.width, 1), height / Math.max(bounds.height, 1), 1));
  // In the middle where that is above the buttons, else as far up as they need.
  const spare = Math.max(size.height - bounds.height * zoom, 0) / 2;
  const up = Math.min(Math.max(BUTTONS - spare, 0), (BUTTONS - margin / 2) / 2);
  return { x: bounds.x + bounds.width / 2, y: bounds.y + bounds.height / 2 + up / zoom, zoom };
}

/** The least move that brings a box into the window, with a margin. */
export function reveal(view: Viewport, size: Size, box: Rect, margin = 60): Viewport {
  const part = visiblePart(view, size);
  const edge = Math.min(margin / view.zoom, part.width / 4, part.height / 4);
  const shift = (from: number, length: number, start: number, extent: number) => {
    if (start < from + edge || extent > length - 2 * edge) return start - edge - from;
    const over = start + extent - (from + length - edge);
    return Math.max(over, 0);
  };
  return {
    ...view,
    x: view.x + shift(part.x, part.width, box.x, box.width),
    y: view.y + shift(part.y, part.height, box.y, box.height),
  };
}
