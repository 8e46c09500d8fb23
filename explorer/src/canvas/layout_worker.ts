/** The layout, away from the main thread. Both ways go arrays of numbers, which are handed over and not copied. */
import { computeLayout, type Place } from "./layout";

/** Boxes by their index. */
export interface LayoutRequest {
  number: number;
  heights: Float64Array;
  /** The index of each box's lane among the names of lanes; null: there are none. */
  lanes: { names: string[]; of: Int32Array } | null;
  from: Int32Array;
  to: Int32Array;
  /** Of boxes that have an earlier place: their index, layer and upper edge. */
  earlier: { boxes: Int32Array; layers: Int32Array; y: Float64Array };
}

export interface LayoutReply {
  number: number;
  layers: Int32Array;
  y: Float64Array;
  /** The bends of all links one after the other, and where those of each link end. */
  bends: Float64Array;
  ends: Int32Array;
  back: Uint8Array;
}

export function layOut({ number, heights, lanes, from, to, earlier }: LayoutRequest): LayoutReply {
  const names = Array.from(heights, (_, i) => String(i));
  const boxes = Array.from(heights, (height, i) => ({ id: names[i]!, height, ...(lanes ? { lane: lanes.names[lanes.of[i]!]! } : {}) }));
  const links = Array.from(from, (source, e) => ({ from: names[source]!, to: names[to[e]!]! }));
  const places = new Map<string, Place>();
  earlier.boxes.forEach((box, i) => {
    places.set(names[box]!, { layer: earlier.layers[i]!, y: earlier.y[i]! });
  });
  const layout = computeLayout(boxes, links, places);
  const found = names.map((name) => layout.places.get(name)!);
  let end = 0;
  return {
    number,
    layers: Int32Array.from(found, (place) => place.layer),
    y: Float64Array.from(found, (place) => place.y),
    bends: Float64Array.from(layout.bends.flat()),
    ends: Int32Array.from(layout.bends, (bends) => (end += bends.length)),
    back: Uint8Array.from(layout.back, Number),
  };
}

self.addEventListener("message", ({ data }: MessageEvent<LayoutRequest>) => {
  const reply = layOut(data);
  const { layers, y, bends, ends, back } = reply;
  self.postMessage(reply, { transfer: [layers.buffer, y.buffer, bends.buffer, ends.buffer, back.buffer] as Transferable[] });
});
