/** The state of the picture in the address: a link shows the same picture again. Pure. Parameters of others are kept. */
import { readTime } from "../location";
import { OVERLAYS, type Overlay } from "./marks";
import { FIRST_VIEW, GRANULARITIES, type Granularity, type Grouping, REACHES, type Reach, type Side, type View } from "./model";
import { USERS, type UserKind } from "./users";
import { clampZoom, type Viewport } from "./viewport";

export interface PictureState {
  view: View;
  pin: string | null;
  asOf: string | null;
  since: string | null;
  overlay: Overlay;
  viewport: Viewport | null;
  /** The earlier time with which the picture is compared. */
  compare: string | null;
  /** The change whose verdicts are shown, in words: `drop orders.email`. */
  words: string;
  /** Whether a picture is drawn that is so large that its list comes first. */
  draw: boolean;
  /** Whether jobs and consumers are boxes, too. */
  users: ReadonlySet<UserKind>;
  /** Parameters that could not be read and are shown as their default. */
  refused: string[];
}

export const MOST_DEPTH = 50;
const GROUPINGS: readonly Grouping[] = ["auto", "none", "domain", "product", "namespace"];

export function readState(search: URLSearchParams, level: Granularity = "DATASET"): PictureState {
  const refused: string[] = [];
  const choose = <Value extends string>(name: string, allowed: readonly Value[], fallback: Value): Value => {
    const given = search.get(name);
    if (given === null || given === "") return fallback;
    const found = allowed.find((one) => one.toLowerCase() === given.toLowerCase());
    if (found === undefined) refused.push(name);
    return found ?? fallback;
  };
  const direction = choose("dir", ["both", "up", "down", "upstream", "downstream"], "both");
  const sides: Side[] = direction === "both" ? ["up", "down"] : direction.startsWith("up") ? ["up"] : ["down"];
  const open = new Set<string>();
  const shut = new Set<string>();
  const columns = new Set<string>();
  for (const part of readParts(search, "open")) {
    const match = /^(.+):(-?[ud]1?|c)$/.exec(part);
    if (!match) refused.push("open");
    else if (match[2] === "c") columns.add(match[1]!);
    else (match[2]!.startsWith("-") ? shut : open).add(`${match[1]}:${match[2]!.includes("u") ? "up" : "down"}`);
  }
  const filters = new Map<string, string>();
  for (const part of readParts(search, "columns")) {
    const match = /^([^:]+):(.+)$/s.exec(part);
    if (match) filters.set(match[1]!.replaceAll("%3A", ":").replaceAll("%25", "%"), match[2]!);
    else refused.push("columns");
  }
  const reach = readReach(search, refused);
  const view: View = {
    granularity: choose<Granularity>("g", GRANULARITIES, level),
    depth: readDepth(search, refused),
    ...{ sides, open, shut, columns, filters, reach },
    grouping: choose("group", GROUPINGS, "auto"),
    closed: new Set(readParts(search, "closed")),
  };
  return {
    view,
    pin: search.get("pin") || null,
    asOf: readMoment(search, "asOf", refused),
    since: readMoment(search, "since", refused),
    overlay: choose("overlay", OVERLAYS, "none"),
    viewport: readViewport(search, refused),
    compare: readMoment(search, "compare", refused),
    words: search.get("change") ?? "",
    draw: choose("draw", ["0", "1"], "0") === "1",
    users: readUserKinds(search, refused),
    refused: [...new Set(refused)],
  };
}

/** Ids may hold a comma: it is written as %2C within the list. */
function readParts(search: URLSearchParams, name: string): string[] {
  return (search.get(name) ?? "")
    .split(",")
    .filter(Boolean)
    .map((part) => part.replaceAll("%2C", ",").replaceAll("%25", "%"));
}

function writeParts(parts: readonly string[]): string {
  return parts.map((part) => part.replaceAll("%", "%25").replaceAll(",", "%2C")).join(",");
}

function readReach(search: URLSearchParams, refused: string[]): Set<Reach> {
  const given = search.get("reach");
  if (given === null || given === "") return new Set(REACHES);
  if (given === "none") return new Set();
  const wanted = given.toUpperCase().split(",");
  const found = REACHES.filter((one) => wanted.includes(one));
  if (found.length !== wanted.length) refused.push("reach");
  return new Set(found.length > 0 ? found : REACHES);
}

function readUserKinds(search: URLSearchParams, refused: string[]): Set<UserKind> {
  const wanted = (search.get("with") ?? "").toUpperCase().split(",").filter(Boolean);
  const found = USERS.filter((one) => wanted.includes(one));
  if (found.length !== wanted.length) refused.push("with");
  return new Set(found);
}

function readDepth(search: URLSearchParams, refused: string[]): number {
  const given = search.get("depth");
  if (given === null || given === "") return FIRST_VIEW.depth;
  if (given === "all") return MOST_DEPTH;
  const depth = Number(given);
  if (Number.isInteger(depth) && depth >= 1 && depth <= MOST_DEPTH) return depth;
  refused.push("depth");
  return FIRST_VIEW.depth;
}

function readMoment(search: URLSearchParams, name: string, refused: string[]): string | null {
  const given = search.get(name);
  if (!given) return null;
  const time = readTime(search, name); // as the frame reads it, whose control of time is the only one
  if (time === null) refused.push(name);
  return time;
}

function readViewport(search: URLSearchParams, refused: string[]): Viewport | null {
  const given = search.get("view");
  if (!given) return null;
  const [x, y, zoom, ...rest] = given.split(",").map(Number);
  if (rest.length === 0 && [x, y, zoom].every((value) => Number.isFinite(value)) && zoom! > 0)
    return { x: x!, y: y!, zoom: clampZoom(zoom!) };
  refused.push("view");
  return null;
}

/** The parameters with this state; what is as at the start is left out. */
export function writeState(search: URLSearchParams, state: Omit<PictureState, "refused">, level: Granularity = "DATASET"): URLSearchParams {
  const next = new URLSearchParams(search);
  const put = (name: string, value: string) => {
    if (value === "") next.delete(name);
    else next.set(name, value);
  };
  const { view } = state;
  put("dir", view.sides.length === 2 ? "" : view.sides[0]!);
  put("g", view.granularity === level ? "" : view.granularity.toLowerCase());
  put("depth", view.depth === FIRST_VIEW.depth ? "" : String(view.depth));
  const all = REACHES.every((one) => view.reach.has(one));
  put(
    "reach",
    all
      ? ""
      : view.reach.size === 0
        ? "none"
        : REACHES.filter((one) => view.reach.has(one))
            .join(",")
            .toLowerCase(),
  );
  const shorten = (key: string) => key.replace(/:(up|down)$/, (_, side: string) => `:${side[0]}`);
  const parts = [
    ...[...view.open].map(shorten),
    ...[...view.shut].map((key) => shorten(key).replace(/:([ud])$/, ":-$1")),
    ...[...view.columns].map((id) => `${id}:c`),
  ];
  put("open", writeParts(parts));
  put("columns", writeParts([...view.filters].map(([id, text]) => `${id.replaceAll("%", "%25").replaceAll(":", "%3A")}:${text}`)));
  put("group", view.grouping === "auto" ? "" : view.grouping);
  put("closed", writeParts([...view.closed]));
  put("pin", state.pin ?? "");
  put("asOf", state.asOf ?? "");
  put("since", state.since ?? "");
  put("overlay", state.overlay === "none" ? "" : state.overlay);
  put("compare", state.compare ?? "");
  put("change", state.words);
  put(
    "with",
    USERS.filter((one) => state.users.has(one))
      .join(",")
      .toLowerCase(),
  );
  put("draw", state.draw ? "1" : "");
  const { viewport } = state;
  put("view", viewport ? [viewport.x.toFixed(1), viewport.y.toFixed(1), viewport.zoom.toFixed(3)].join(",") : "");
  return next;
}

/** The state with the earlier view if both are the same: the picture is built from the view, and a moved window or a pin changes none of it. */
export function keepView(state: PictureState, earlier: View | null): PictureState {
  return earlier && isSame(state.view, earlier) ? { ...state, view: earlier } : state;
}

function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Map || a instanceof Set) {
    if (!(b instanceof Map || b instanceof Set) || a.size !== b.size) return false;
    return isSame([...a], [...b]);
  }
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) return a === b;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  return keys.length === others.length && keys.every((key) => isSame(a[key as keyof typeof a], b[key as keyof typeof b]));
}
