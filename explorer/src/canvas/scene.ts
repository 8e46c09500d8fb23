/** The picture with coordinates: boxes, lines and bands, what is under a point, and which part of it is visible. Pure. */
import { pointOnCurve } from "./curves";
import { compareText, type Layout, type Link, type Place } from "./layout";
import type { Card, Line, Picture, Ref, Side } from "./model";
import { finish, STEP_ITEMS, type Steps } from "./slices";

export const CARD_WIDTH = 220;
export const HEAD_HEIGHT = 52;
export const FOOT_HEIGHT = 20;
export const ROW_HEIGHT = 22;
export const STEP = 350;
/** Below this zoom boxes have no text and lines are straight. */
export const FAR = 0.35;
const BAND_PADDING = 22;
const BAND_TITLE = 20;
const STUB_WIDTH = 36;
const STUB_HEIGHT = 24;
const LINE_REACH = 7;

export interface Band {
  group: Ref | null;
  x: number;
  y: number;
  width: number;
  height: number;
  count: number;
}

export interface Scene {
  picture: Picture;
  /** Left, top, width and height of each card. */
  boxes: Float32Array;
  /** The corners of each line, x and y by turns. */
  paths: Float32Array[];
  /** Left, top, right and bottom of each line. */
  reaches: Float32Array;
  back: boolean[];
  bands: Band[];
  bounds: Rect;
}

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export function measureCard(card: Card): number {
  return HEAD_HEIGHT + card.rows.length * ROW_HEIGHT + (hasFoot(card) ? FOOT_HEIGHT : 0);
}

/** Whether the card says below its rows how many columns there are more. */
export function hasFoot(card: Card): boolean {
  return card.moreRows > 0;
}

/** What the layout needs to know of a picture. */
export function listBoxes(picture: Picture, grouped: boolean): { boxes: { id: string; height: number; lane?: string }[]; links: Link[] } {
  const boxes = picture.cards.map((card) => ({
    id: card.id,
    height: measureCard(card),
    ...(grouped ? { lane: card.group ? `${card.group.name} ${card.group.id}` : "" } : {}),
  }));
  return { boxes, links: picture.lines.map((line) => ({ from: picture.cards[line.from]!.id, to: picture.cards[line.to]!.id })) };
}

export function buildScene(picture: Picture, layout: Layout, grouped: boolean): Scene {
  return finish(stepScene(picture, layout, grouped));
}

export function* stepScene(picture: Picture, layout: Layout, grouped: boolean): Steps<Scene> {
  const boxes = new Float32Array(picture.cards.length * 4);
  for (const [i, card] of picture.cards.entries()) {
    if (i % STEP_ITEMS === 0) yield;
    const place: Place = layout.places.get(card.id) ?? { layer: 0, y: 0 };
    boxes.set([place.layer * STEP, place.y, CARD_WIDTH, measureCard(card)], i * 4);
  }
  const paths: Float32Array[] = [];
  const reaches = new Float32Array(picture.lines.length * 4);
  for (const [i, line] of picture.lines.entries()) {
    if (i % STEP_ITEMS === 0) yield;
    const path = tracePath(line, boxes, layout, i, picture);
    paths.push(path);
    reaches.set(measurePath(path), i * 4);
  }
  const bands = grouped ? buildBands(picture, boxes) : [];
  return { picture, boxes, paths, reaches, back: layout.back, bands, bounds: measureBounds(boxes, bands) };
}

/** Where a line meets the side of its card: at the row of its column, else at the head. */
function findPort(boxes: Float32Array, card: number, row: number): number {
  return boxes[card * 4 + 1]! + (row < 0 ? HEAD_HEIGHT / 2 : HEAD_HEIGHT + row * ROW_HEIGHT + ROW_HEIGHT / 2);
}

function tracePath(line: Line, boxes: Float32Array, layout: Layout, index: number, picture: Picture): Float32Array {
  const startX = boxes[line.from * 4]! + CARD_WIDTH;
  const startY = findPort(boxes, line.from, line.fromRow);
  const endX = boxes[line.to * 4]!;
  const endY = findPort(boxes, line.to, line.toRow);
  if (layout.back[index] || line.from === line.to) {
    const bottom = (card: number) => boxes[card * 4 + 1]! + boxes[card * 4 + 3]!;
    const below = Math.max(bottom(line.from), bottom(line.to)) + 14;
    return Float32Array.of(startX, startY, startX + 26, startY, startX + 26, below, endX - 26, below, endX - 26, endY, endX, endY);
  }
  const bends = layout.bends[index] ?? [];
  const first = layout.places.get(picture.cards[line.from]!.id)?.layer ?? 0;
  const corners = [startX, startY];
  bends.forEach((y, i) => {
    const x = (first + 1 + i) * STEP;
    corners.push(x, y, x + CARD_WIDTH, y);
  });
  corners.push(endX, endY);
  return Float32Array.from(corners);
}

function measurePath(path: Float32Array): [number, number, number, number] {
  let [left, top, right, bottom] = [path[0]!, path[1]!, path[0]!, path[1]!];
  for (let i = 2; i < path.length; i += 2) {
    left = Math.min(left, path[i]!);
    right = Math.max(right, path[i]!);
    top = Math.min(top, path[i + 1]!);
    bottom = Math.max(bottom, path[i + 1]!);
  }
  return [left, top, right, bottom];
}

function buildBands(picture: Picture, boxes: Float32Array): Band[] {
  const bands = new Map<string, { group: Ref | null; left: number; top: number; right: number; bottom: number; count: number }>();
  picture.cards.forEach((card, i) => {
    const [x, y, width, height] = boxes.subarray(i * 4, i * 4 + 4) as unknown as [number, number, number, number];
    const key = card.group?.id ?? "";
    const band = bands.get(key);
    const members = Math.max(1, card.members.length);
    if (!band) bands.set(key, { group: card.group, left: x, top: y, right: x + width, bottom: y + height, count: members });
    else {
      band.left = Math.min(band.left, x);
      band.top = Math.min(band.top, y);
      band.right = Math.max(band.right, x + width);
      band.bottom = Math.max(band.bottom, y + height);
      band.count += members;
    }
  });
  return [...bands.values()]
    .map(({ group, left, top, right, bottom, count }) => ({
      group,
      x: left - BAND_PADDING,
      y: top - BAND_TITLE - 8,
      width: right - left + 2 * BAND_PADDING,
      height: bottom - top + BAND_TITLE + 16,
      count,
    }))
    .sort((a, b) => a.y - b.y || compareText(a.group?.id ?? "", b.group?.id ?? ""));
}

function measureBounds(boxes: Float32Array, bands: readonly Band[]): Rect {
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const add = (x: number, y: number, width: number, height: number) => {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + width);
    bottom = Math.max(bottom, y + height);
  };
  for (let i = 0; i < boxes.length; i += 4) add(boxes[i]!, boxes[i + 1]!, boxes[i + 2]!, boxes[i + 3]!);
  for (const band of bands) add(band.x, band.y, band.width, band.height);
  return left > right ? { x: 0, y: 0, width: 0, height: 0 } : { x: left, y: top, width: right - left, height: bottom - top };
}

export function boxOf(scene: Scene, card: number): Rect {
  return {
    x: scene.boxes[card * 4]!,
    y: scene.boxes[card * 4 + 1]!,
    width: scene.boxes[card * 4 + 2]!,
    height: scene.boxes[card * 4 + 3]!,
  };
}

/** What the button at a side of a card says: how many neighbours are not shown, or that the hop can be closed. */
export function describeStub(card: Card, side: Side): string | null {
  const more = side === "up" ? card.moreUp : card.moreDown;
  const open = side === "up" ? card.openUp : card.openDown;
  if (card.members.length > 0) return null;
  if (more === null) return "+";
  if (more > 0) return `+${more}`;
  const all = side === "up" ? card.node.upstream : card.node.downstream;
  return open && (all?.direct ?? 0) > 0 ? "−" : null;
}

export function stubOf(scene: Scene, card: number, side: Side): Rect {
  const box = boxOf(scene, card);
  const x = side === "up" ? box.x : box.x + box.width;
  return { x: x - STUB_WIDTH / 2, y: box.y + (HEAD_HEIGHT - STUB_HEIGHT) / 2, width: STUB_WIDTH, height: STUB_HEIGHT };
}

/** The middle of a line, where its signs are drawn. */
export function middleOf(path: Float32Array): [x: number, y: number] {
  const corners = path.length / 2;
  const at = Math.floor((corners - 1) / 2) * 2;
  return [(path[at]! + path[at + 2]!) / 2, (path[at + 1]! + path[at + 3]!) / 2];
}

/** The corners of a box: datasets are cards, jobs are rounded at their ends, consumers end in a point. */
export function shapeOf({ kind }: { kind: string }): "card" | "round" | "pointed" {
  return kind === "JOB" ? "round" : kind === "CONSUMER" ? "pointed" : "card";
}

/** The corners of a box that ends in a point, x and y by turns. */
export function pointBox({ x, y, width, height }: Rect): number[] {
  const tip = 16;
  return [x, y, x + width - tip, y, x + width, y + height / 2, x + width - tip, y + height, x, y + height];
}

export type Hit =
  | { kind: "card"; card: number }
  | { kind: "row"; card: number; row: number }
  | { kind: "foot"; card: number }
  | { kind: "stub"; card: number; side: Side }
  | { kind: "line"; line: number }
  | { kind: "band"; band: number };

function contains(rect: Rect, x: number, y: number): boolean {
  return x >= rect.x && x <= rect.x + rect.width && y >= rect.y && y <= rect.y + rect.height;
}

/** What is at a point of the picture. Far away there are only boxes and lines. */
export function findHit(scene: Scene, x: number, y: number, zoom: number): Hit | null {
  const near = zoom >= FAR;
  for (let card = scene.picture.cards.length - 1; card >= 0; card--) {
    const box = boxOf(scene, card);
    if (x < box.x - STUB_WIDTH || x > box.x + box.width + STUB_WIDTH || y < box.y || y > box.y + box.height) continue;
    const content = scene.picture.cards[card]!;
    if (near)
      for (const side of ["up", "down"] as const)
        if (describeStub(content, side) !== null && contains(stubOf(scene, card, side), x, y)) return { kind: "stub", card, side };
    if (!contains(box, x, y)) continue;
    const row = Math.floor((y - box.y - HEAD_HEIGHT) / ROW_HEIGHT);
    if (!near || row < 0) return { kind: "card", card };
    return row < content.rows.length ? { kind: "row", card, row } : { kind: "foot", card };
  }
  const line = findLine(scene, x, y, LINE_REACH / zoom);
  if (line !== null) return { kind: "line", line };
  const band = scene.bands.findIndex((one) => contains({ ...one, height: BAND_TITLE + 8 }, x, y));
  return band < 0 ? null : { kind: "band", band };
}

function findLine(scene: Scene, x: number, y: number, within: number): number | null {
  let best: number | null = null;
  let nearest = within;
  scene.paths.forEach((path, line) => {
    const at = line * 4;
    if (x < scene.reaches[at]! - within || x > scene.reaches[at + 2]! + within) return;
    if (y < scene.reaches[at + 1]! - within || y > scene.reaches[at + 3]! + within) return;
    const distance = measureDistance(path, x, y, scene.back[line] ?? false);
    if (distance < nearest) {
      nearest = distance;
      best = line;
    }
  });
  return best;
}

/** The distance of a point from a line as it is drawn: curves between corners, cut into short straight parts. */
function measureDistance(path: Float32Array, x: number, y: number, straight: boolean): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i + 3 < path.length; i += 2) {
    const [ax, ay, bx, by] = [path[i]!, path[i + 1]!, path[i + 2]!, path[i + 3]!];
    const parts = straight || ay === by ? 1 : 12;
    let [px, py] = [ax, ay];
    for (let part = 1; part <= parts; part++) {
      const [qx, qy] = parts === 1 ? [bx, by] : pointOnCurve(ax, ay, bx, by, part / parts);
      const length = (qx - px) ** 2 + (qy - py) ** 2;
      const along = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - px) * (qx - px) + (y - py) * (qy - py)) / length));
      least = Math.min(least, Math.hypot(x - px - along * (qx - px), y - py - along * (qy - py)));
      [px, py] = [qx, qy];
    }
  }
  return least;
}
