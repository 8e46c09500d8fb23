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
const waiting = new Map<number, { resolve(layout: Layout): void; reject(error: Error): void }>();

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
    waiting.get(data.number)?.resolve(data.layout);
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
  const request: LayoutRequest = { number, boxes, links, earlier };
  return new Promise((resolve, reject) => {
    waiting.set(number, { resolve, reject });
    worker!.postMessage(request);
  });
}
