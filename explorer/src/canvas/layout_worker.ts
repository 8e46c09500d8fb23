/** The layout, away from the main thread. */
import { type Box, computeLayout, type Layout, type Link, type Place } from "./layout";

export interface LayoutRequest {
  number: number;
  boxes: Box[];
  links: Link[];
  earlier: Map<string, Place>;
}

export interface LayoutReply {
  number: number;
  layout: Layout;
}

self.addEventListener("message", ({ data }: MessageEvent<LayoutRequest>) => {
  const reply: LayoutReply = { number: data.number, layout: computeLayout(data.boxes, data.links, data.earlier) };
  self.postMessage(reply);
});
