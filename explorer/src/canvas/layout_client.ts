/** Asks the worker for layouts; small pictures are laid out at once. */
import { type Box, computeLayout, type Layout, type Link, type Place } from "./layout";
import type { LayoutReply, LayoutRequest } from "./layout_worker";
import workerUrl from "./layout_worker.ts?worker&url";

/** Up to here a layout takes a few milliseconds, less than the way to the worker and back. */
const AT_ONCE = 200;

interface Policy {
  createScriptURL(url: string): string;
}
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
}

let worker: Worker | null = null;
let asked = 0;
const waiting = new Map<number, { resolve(reply: LayoutReply): void; reject(error: Error): void }>();

/** Under Trusted Types a worker needs an address that a policy has passed; ours passes this one alone. */
function passAddress(): string {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (!types) return workerUrl;
  const policy = types.createPolicy("meshline", {
    createScriptURL(url) {
      if (url !== workerUrl) throw new TypeError("Only the layout worker may be started.");
      return url;
    },
  });
  return policy.createScriptURL(workerUrl);
}

function startWorker(): Worker {
  const started = new Worker(passAddress(), { type: "module" });
  started.addEventListener("message", ({ data }: MessageEvent<LayoutReply>) => {
    waiting.get(data.number)?.resolve(data);
    waiting.delete(data.number);
  });
  started.addEventListener("error", () => {
    for (const { reject } of waiting.values()) reject(new Error("The layout worker failed."));
    waiting.clear();
  });
  return started;
}

export function requestLayout(boxes: Box[], links: Link[], earlier: Map<string, Place>): Promise<Layout> | Layout {
  if (boxes.length <= AT_ONCE || typeof Worker === "undefined") return computeLayout(boxes, links, earlier);
  worker ??= startWorker();
  const number = ++asked;
  const request = writeRequest(number, boxes, links, earlier);
  return new Promise((resolve, reject) => {
    waiting.set(number, { resolve: (reply) => resolve(readReply(reply, boxes)), reject });
    const { heights, lanes, from, to } = request;
    worker!.postMessage(request, [heights.buffer, from.buffer, to.buffer, ...(lanes ? [lanes.of.buffer] : [])] as Transferable[]);
  });
}

/** Names stay here: thousands of them are longer to copy than the layout of their boxes takes. */
export function writeRequest(
  number: number,
  boxes: readonly Box[],
  links: readonly Link[],
  earlier: ReadonlyMap<string, Place>,
): LayoutRequest {
  const index = new Map(boxes.map((box, i) => [box.id, i]));
  const kept = boxes.flatMap((box, i) => (earlier.has(box.id) ? [i] : []));
  const places = kept.map((i) => earlier.get(boxes[i]!.id)!);
  const names = [...new Set(boxes.map((box) => box.lane))].filter((lane) => lane !== undefined);
  const rank = new Map(names.map((lane, i) => [lane, i]));
  return {
    number,
    heights: Float64Array.from(boxes, (box) => box.height),
    lanes: names.length > 0 ? { names, of: Int32Array.from(boxes, (box) => rank.get(box.lane!)!) } : null,
    from: Int32Array.from(links, (link) => index.get(link.from)!),
    to: Int32Array.from(links, (link) => index.get(link.to)!),
    earlier: {
      boxes: Int32Array.from(kept),
      layers: Int32Array.from(places, (place) => place.layer),
      y: Float64Array.from(places, (place) => place.y),
    },
  };
}

export function readReply({ layers, y, bends, ends, back }: LayoutReply, boxes: readonly Box[]): Layout {
  return {
    places: new Map(boxes.map((box, i) => [box.id, { layer: layers[i]!, y: y[i]! }])),
    bends: Array.from(ends, (end, e) => Array.from(bends.subarray(e === 0 ? 0 : ends[e - 1]!, end))),
    back: Array.from(back, Boolean),
  };
}
