/**
 * Draws the lines of a scene. Near, only the stretches that cross the window are traced: a curve between two layers can be a hundred windows
 * high, and each dash of it that nobody sees would cost as much as one that is seen.
 */
import { isLong, splitCurve } from "./curves";
import { type Lights, listLitLines } from "./lights";
import { isVeiled, REACHES, type Reach } from "./model";
import type { Palette } from "./palette";
import { FAR, middleOf, type Scene } from "./scene";
import type { Viewport } from "./viewport";

export type Window4 = readonly [left: number, top: number, right: number, bottom: number];

export const DASHES: Record<Reach, number[]> = { DIRECT: [], INDIRECT: [7, 4], POSSIBLE: [2, 4] };
/** Of a flow that is there no more. */
export const GONE = [1, 6];
/** Through what the caller may not see. */
export const VEILED = [12, 4, 2, 4];
/** A shield, for lines that mask and for what is reached masked on every path: drawn, as few fonts have one. */
export const SHIELD = "M0 -6L5 -4V0C5 3 2 5.5 0 6.5C-2 5.5 -5 3 -5 0V-4Z";
let shield: Path2D | undefined;
export const FADED = 0.18;
const THINNED = 0.25;
/** Far away, where dashes would be a grey of their own, what is not direct is drawn lighter and thinner. */
const FAR_TONES: Record<Reach, number> = { DIRECT: 0.75, INDIRECT: 0.4, POSSIBLE: 0.25 };
const ARROW = 8;

/** The style of a line in bits: how it is reached (2), thinned by the filter (4), stale or provisional (8); a cone adds faded (16) or lit (32). */
const [FAINT, UNSURE, OFF_CONE, ON_CONE, ADDED, REMOVED, THROUGH_HIDDEN, STYLES] = [4, 8, 16, 32, 64, 128, 256, 512];
/** Gone is both bits: red, and dotted. */
const CHANGE_BITS = { none: 0, added: ADDED, both: ADDED, fewer: REMOVED, removed: ADDED | REMOVED };
const styles = new WeakMap<Scene, Uint16Array>();

function listStyles(scene: Scene): Uint16Array {
  const known = styles.get(scene);
  if (known) return known;
  const made = Uint16Array.from(
    scene.picture.lines,
    (line) =>
      REACHES.indexOf(line.reach) |
      (line.faint ? FAINT : 0) |
      (line.stale || line.provisional ? UNSURE : 0) |
      (isVeiled(line) ? THROUGH_HIDDEN : 0) |
      CHANGE_BITS[line.change ?? "none"],
  );
  styles.set(scene, made);
  return made;
}

const buckets: number[][] = Array.from({ length: STYLES }, () => []);

/** From here on lines in the window are a pixel wide: so many wider ones could not be told apart, and would cost three times as much. */
const MANY = 300;
/** From here on lines of one style in the window are drawn as they are far away: their dashes would run into each other, and take most of a frame. */
const CROWD = 1000;

/** The lines, style by style. */
export function drawLines(
  context: CanvasRenderingContext2D,
  scene: Scene,
  window: Window4,
  view: Viewport,
  palette: Palette,
  lights: Lights,
): number {
  const near = view.zoom >= FAR;
  const drawn = sortLines(scene, window, lights);
  const thin = 1 / Math.min(view.zoom, 1);
  for (let style = 0; style < STYLES; style++) {
    const members = buckets[style]!;
    if (members.length === 0) continue;
    const reach = REACHES[style & 3]!;
    const lit = (style & ON_CONE) !== 0;
    const crowded = members.length > CROWD;
    const toned = !lit && (!near || crowded);
    context.globalAlpha = (style & OFF_CONE) !== 0 ? FADED : (style & FAINT) !== 0 ? THINNED : toned ? FAR_TONES[reach] : 1;
    context.strokeStyle =
      (style & ADDED) !== 0
        ? palette.good
        : (style & REMOVED) !== 0
          ? palette.bad
          : lit
            ? palette.accent
            : (style & UNSURE) !== 0
              ? palette.warn
              : palette.strongLine;
    context.lineWidth = (lit ? 2.4 : near ? (drawn > MANY ? 1 : 1.5) : reach === "DIRECT" ? 1 : 0.7) * thin;
    const gone = (style & ADDED) !== 0 && (style & REMOVED) !== 0;
    const dashes = gone ? GONE : (style & THROUGH_HIDDEN) !== 0 ? VEILED : DASHES[reach];
    if (near) strokeNear(context, scene, members, window, crowded ? [] : dashes, thin, palette);
    else strokeFar(context, scene, members, style, lights.cone);
  }
  context.setLineDash([]);
  const chosen = lights.line === null ? -1 : scene.picture.lines.findIndex((line) => line.id === lights.line);
  if (chosen >= 0) {
    context.globalAlpha = 1;
    context.strokeStyle = palette.focus;
    context.lineWidth = 4 * thin;
    context.beginPath();
    tracePath(context, scene.paths[chosen]!, scene.back[chosen] ?? false, window, false);
    context.stroke();
    if (near) drawSigns(context, scene, chosen, ...middleOf(scene.paths[chosen]!), palette); // over the broad line, which has covered them
  }
  return drawn;
}

/** Puts the lines that touch the window into the buckets of their styles. */
function sortLines(scene: Scene, [left, top, right, bottom]: Window4, lights: Lights): number {
  for (const bucket of buckets) bucket.length = 0;
  const { reaches } = scene;
  const own = listStyles(scene);
  const lit = listLitLines(scene, lights.cone);
  let drawn = 0;
  for (let i = 0, at = 0; i < own.length; i++, at += 4) {
    if (reaches[at]! > right || reaches[at + 2]! < left || reaches[at + 1]! > bottom || reaches[at + 3]! < top) continue;
    drawn++;
    buckets[addCone(own[i]!, lit, i)]!.push(i);
  }
  return drawn;
}

/** Whether lines can be one path. Wider than a pixel of the device such a path is painted as one shape, whose crossings cost most of a frame. */
function areThin(context: CanvasRenderingContext2D): boolean {
  return context.lineWidth * context.getTransform().a <= 1.01;
}

interface FarPath {
  path: Path2D;
  lines: number;
}
type Cone = ReadonlySet<string> | null;
const farPaths = new WeakMap<Scene, { cone: Cone; paths: FarPath[] }>();

/** All straight lines of each style: while most of them are in the window, a frame has nothing to trace. */
function listFarPaths(scene: Scene, cone: Cone): FarPath[] {
  const known = farPaths.get(scene);
  if (known?.cone === cone) return known.paths;
  const paths = buckets.map((): FarPath => ({ path: new Path2D(), lines: 0 }));
  const own = listStyles(scene);
  const lit = listLitLines(scene, cone);
  scene.paths.forEach((path, i) => {
    const one = paths[addCone(own[i]!, lit, i)]!;
    one.path.moveTo(path[0]!, path[1]!);
    one.path.lineTo(path[path.length - 2]!, path[path.length - 1]!);
    one.lines++;
  });
  farPaths.set(scene, { cone, paths });
  return paths;
}

function addCone(style: number, lit: Uint8Array | null, line: number): number {
  return style | (lit === null ? 0 : lit[line] ? ON_CONE : OFF_CONE);
}

/** Straight lines. */
function strokeFar(context: CanvasRenderingContext2D, scene: Scene, members: readonly number[], style: number, cone: Cone): void {
  const together = areThin(context);
  const whole = together ? listFarPaths(scene, cone)[style]! : null;
  if (whole && members.length * 2 > whole.lines) {
    context.stroke(whole.path);
    return;
  }
  context.beginPath();
  for (const i of members) {
    const path = scene.paths[i]!;
    context.moveTo(path[0]!, path[1]!);
    context.lineTo(path[path.length - 2]!, path[path.length - 1]!);
    if (together) continue;
    context.stroke();
    context.beginPath();
  }
  context.stroke();
}

function strokeNear(
  context: CanvasRenderingContext2D,
  scene: Scene,
  members: readonly number[],
  window: Window4,
  dashes: readonly number[],
  thin: number,
  palette: Palette,
): void {
  context.setLineDash(dashes.map((length) => length * thin));
  const together = areThin(context);
  context.beginPath();
  for (const i of members) {
    tracePath(context, scene.paths[i]!, scene.back[i] ?? false, window, dashes.length > 0);
    if (together) continue;
    context.stroke();
    context.beginPath();
  }
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = context.strokeStyle;
  context.beginPath();
  const [left, top, right, bottom] = window;
  for (const i of members) {
    const path = scene.paths[i]!;
    const [x, y] = [path[path.length - 2]!, path[path.length - 1]!];
    if (x < left || x - ARROW > right || y + ARROW < top || y - ARROW > bottom) continue;
    context.moveTo(x, y);
    context.lineTo(x - ARROW, y - 4);
    context.lineTo(x - ARROW, y + 4);
  }
  context.fill();
  for (const i of members) {
    const [x, y] = middleOf(scene.paths[i]!);
    if (x > left - 100 && x < right + 100 && y > top - 20 && y < bottom + 20) drawSigns(context, scene, i, x, y, palette);
  }
}

/** The stretches of a line within the window. A dashed one is cut at places of its own, so that its dashes stand still while the picture moves. */
function tracePath(context: CanvasRenderingContext2D, path: Float32Array, straight: boolean, window: Window4, dashed: boolean): void {
  const [left, top, right, bottom] = window;
  let open = false; // whether the pen is at the start of the stretch
  for (let i = 2; i < path.length; i += 2) {
    const [fromX, fromY, x, y] = [path[i - 2]!, path[i - 1]!, path[i]!, path[i + 1]!];
    if (Math.max(fromX, x) < left || Math.min(fromX, x) > right || Math.max(fromY, y) < top || Math.min(fromY, y) > bottom) {
      open = false;
      continue;
    }
    const flat = straight || fromY === y;
    if (isLong(fromX, fromY, x, y)) {
      const ends = splitCurve(fromX, fromY, x, y, top, bottom, left, right, flat);
      for (let at = 0; at < ends.length; at += 8) {
        if (dashed || at === 0) context.moveTo(ends[at]!, ends[at + 1]!);
        if (flat) context.lineTo(ends[at + 6]!, ends[at + 7]!);
        else context.bezierCurveTo(ends[at + 2]!, ends[at + 3]!, ends[at + 4]!, ends[at + 5]!, ends[at + 6]!, ends[at + 7]!);
      }
      open = false;
      continue;
    }
    if (!open) context.moveTo(fromX, fromY);
    if (flat) context.lineTo(x, y);
    else context.bezierCurveTo((fromX + x) / 2, fromY, (fromX + x) / 2, y, x, y);
    open = !dashed;
  }
}

function drawSigns(context: CanvasRenderingContext2D, scene: Scene, index: number, x: number, y: number, palette: Palette): void {
  const line = scene.picture.lines[index]!;
  const text = describeLine(line);
  if (text === "" && !line.masking) return;
  context.font = `600 12px ${palette.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const room = line.masking ? 16 : 0;
  const width = context.measureText(text).width + 10 + room;
  const [fill, stroke] = [context.fillStyle, context.strokeStyle];
  context.fillStyle = palette.card;
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(x - width / 2, y - 9, width, 18, 9);
  context.fill();
  context.stroke();
  context.fillStyle = palette.text;
  context.fillText(text, x + room / 2, y + 0.5);
  if (line.masking) drawShield(context, x - width / 2 + 11, y);
  context.fillStyle = fill;
  context.strokeStyle = stroke;
}

export function drawShield(context: CanvasRenderingContext2D, x: number, y: number): void {
  shield ??= new Path2D(SHIELD);
  context.translate(x, y);
  context.fill(shield);
  context.translate(-x, -y);
}

const CHANGES = { added: "+", fewer: "−", both: "±", removed: "− gone" };

/** The words at a line: what became of it, whether it is stale or provisional, and of how many flows it is made if it stands for several. */
export function describeLine(line: Scene["picture"]["lines"][number]): string {
  const count = line.edges.reduce((sum, edge) => sum + edge.count, 0);
  const signs: string[] = (["stale", "provisional"] as const).filter((name) => line[name]);
  if (isVeiled(line)) signs.push("through what you may not see");
  if (line.change) signs.unshift(CHANGES[line.change]);
  return [...signs, ...(count > 1 && line.fromRow < 0 && line.toRow < 0 ? [String(count)] : [])].join(" ");
}
