/** Draws a scene on a 2D canvas. Only what is visible is drawn; far away boxes are blocks and lines are straight. */
import { cutName, showName } from "../names";
import type { Mark, Tone } from "./marks";
import type { Reach } from "./model";
import { CARD_WIDTH, describeStub, FAR, FOOT_HEIGHT, HEAD_HEIGHT, hasFoot, middleOf, ROW_HEIGHT, type Scene, stubOf } from "./scene";
import { type Size, type Viewport, visiblePart } from "./viewport";

export interface Palette {
  back: string;
  card: string;
  raised: string;
  text: string;
  soft: string;
  line: string;
  strongLine: string;
  accent: string;
  onAccent: string;
  focus: string;
  good: string;
  warn: string;
  bad: string;
  font: string;
  groups: readonly string[];
}

/** What is drawn over the scene. */
export interface Lights {
  focus: string | null;
  hovered: string | null;
  /** Ids of what is lit; all else is faded. Null: nothing is faded. */
  cone: ReadonlySet<string> | null;
  pinned: string | null;
  marks: ReadonlyMap<string, Mark>;
  /** The line whose reasons are shown. */
  line: string | null;
  found: ReadonlySet<string>;
}

export const DASHES: Record<Reach, number[]> = { DIRECT: [], INDIRECT: [7, 4], POSSIBLE: [2, 4] };
/** A shield, for lines that mask and for what is reached masked on every path: drawn, as few fonts have one. */
export const SHIELD = "M0 -6L5 -4V0C5 3 2 5.5 0 6.5C-2 5.5 -5 3 -5 0V-4Z";
let shield: Path2D | undefined;
const FADED = 0.18;
const THINNED = 0.25;

export interface Drawn {
  cards: number;
  lines: number;
}

export function drawScene(
  context: CanvasRenderingContext2D,
  scene: Scene,
  view: Viewport,
  size: Size,
  ratio: number,
  palette: Palette,
  lights: Lights,
): Drawn {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalAlpha = 1;
  context.fillStyle = palette.back;
  context.fillRect(0, 0, size.width * ratio, size.height * ratio);
  const scale = view.zoom * ratio;
  context.setTransform(scale, 0, 0, scale, (size.width / 2) * ratio - view.x * scale, (size.height / 2) * ratio - view.y * scale);
  const part = visiblePart(view, size);
  const window: Window4 = [part.x, part.y, part.x + part.width, part.y + part.height];
  drawBands(context, scene, view, palette);
  const lines = drawLines(context, scene, window, view, palette, lights);
  const cards =
    view.zoom < FAR ? drawBlocks(context, scene, window, view, palette, lights) : drawCards(context, scene, window, palette, lights);
  context.globalAlpha = 1;
  return { cards, lines };
}

type Window4 = readonly [left: number, top: number, right: number, bottom: number];

function drawBands(context: CanvasRenderingContext2D, scene: Scene, view: Viewport, palette: Palette): void {
  for (const band of scene.bands) {
    context.fillStyle = palette.raised;
    context.globalAlpha = 0.7;
    context.fillRect(band.x, band.y, band.width, band.height);
    context.globalAlpha = 1;
    context.strokeStyle = band.group ? pickGroupColour(band.group.id, palette) : palette.line;
    context.lineWidth = Math.max(1, 1 / view.zoom);
    context.setLineDash([]);
    context.strokeRect(band.x, band.y, band.width, band.height);
    const letters = Math.max(12, 11 / view.zoom);
    if (letters > band.height) continue;
    context.fillStyle = palette.text;
    context.font = `600 ${letters}px ${palette.font}`;
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText(`${cutName(showName(band.group?.name ?? "no group"), 60)} · ${band.count}`, band.x + 8, band.y + 6);
  }
}

/** One path for all lines of a style. */
function drawLines(
  context: CanvasRenderingContext2D,
  scene: Scene,
  [left, top, right, bottom]: Window4,
  view: Viewport,
  palette: Palette,
  lights: Lights,
): number {
  const near = view.zoom >= FAR;
  const { lines } = scene.picture;
  const styles = new Map<string, number[]>();
  let drawn = 0;
  for (let i = 0, at = 0; i < lines.length; i++, at += 4) {
    const reaches = scene.reaches;
    if (reaches[at]! > right || reaches[at + 2]! < left || reaches[at + 1]! > bottom || reaches[at + 3]! < top) continue;
    drawn++;
    const line = lines[i]!;
    const lit = isLit(scene, i, lights);
    const style = `${line.reach} ${line.faint ? 1 : 0}${lit === false ? 1 : 0}${lit === true ? 1 : 0}${line.stale || line.provisional ? 1 : 0}`;
    const members = styles.get(style);
    if (members) members.push(i);
    else styles.set(style, [i]);
  }
  const thin = 1 / Math.min(view.zoom, 1);
  for (const [style, members] of styles) {
    const reach = style.slice(0, style.indexOf(" ")) as Reach;
    const [faint, faded, lit, unsure] = [...style.slice(style.indexOf(" ") + 1)].map((flag) => flag === "1");
    context.globalAlpha = faded ? FADED : faint ? THINNED : near ? 1 : 0.6;
    context.strokeStyle = lit ? palette.accent : unsure ? palette.warn : palette.strongLine;
    context.lineWidth = (lit ? 2.4 : near ? 1.5 : 1) * thin;
    context.setLineDash(near ? DASHES[reach].map((length) => length * thin) : []);
    context.beginPath();
    for (const i of members)
      if (near) tracePath(context, scene.paths[i]!, scene.back[i] ?? false);
      else {
        const path = scene.paths[i]!;
        context.moveTo(path[0]!, path[1]!);
        context.lineTo(path[path.length - 2]!, path[path.length - 1]!);
      }
    context.stroke();
    if (!near) continue;
    context.setLineDash([]);
    context.fillStyle = context.strokeStyle;
    context.beginPath();
    for (const i of members) traceArrow(context, scene.paths[i]!);
    context.fill();
    for (const i of members) drawSigns(context, scene, i, palette);
  }
  context.setLineDash([]);
  const chosen = lines.findIndex((line) => line.id === lights.line);
  if (chosen >= 0) {
    context.globalAlpha = 1;
    context.strokeStyle = palette.focus;
    context.lineWidth = 4 * thin;
    context.beginPath();
    tracePath(context, scene.paths[chosen]!, scene.back[chosen] ?? false);
    context.stroke();
  }
  return drawn;
}

/** True: on the cone; false: off it; null: there is no cone. */
function isLit(scene: Scene, line: number, { cone }: Lights): boolean | null {
  if (!cone) return null;
  const edges = scene.picture.lines[line]!.edges;
  return edges.some((edge) => cone.has(edge.from) && cone.has(edge.to));
}

function tracePath(context: CanvasRenderingContext2D, path: Float32Array, straight: boolean): void {
  context.moveTo(path[0]!, path[1]!);
  for (let i = 2; i < path.length; i += 2) {
    const [fromX, fromY, x, y] = [path[i - 2]!, path[i - 1]!, path[i]!, path[i + 1]!];
    if (straight || fromY === y) context.lineTo(x, y);
    else context.bezierCurveTo((fromX + x) / 2, fromY, (fromX + x) / 2, y, x, y);
  }
}

function traceArrow(context: CanvasRenderingContext2D, path: Float32Array): void {
  const x = path[path.length - 2]!;
  const y = path[path.length - 1]!;
  context.moveTo(x, y);
  context.lineTo(x - 8, y - 4);
  context.lineTo(x - 8, y + 4);
}

function drawSigns(context: CanvasRenderingContext2D, scene: Scene, index: number, palette: Palette): void {
  const line = scene.picture.lines[index]!;
  const text = describeLine(line);
  if (text === "" && !line.masking) return;
  const [x, y] = middleOf(scene.paths[index]!);
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

function drawShield(context: CanvasRenderingContext2D, x: number, y: number): void {
  shield ??= new Path2D(SHIELD);
  context.translate(x, y);
  context.fill(shield);
  context.translate(-x, -y);
}

/** The words at a line: whether it is stale or provisional, and of how many flows it is made if it stands for several. */
export function describeLine(line: Scene["picture"]["lines"][number]): string {
  const count = line.edges.reduce((sum, edge) => sum + edge.count, 0);
  const signs = (["stale", "provisional"] as const).filter((name) => line[name]);
  return [...signs, ...(count > 1 && line.fromRow < 0 && line.toRow < 0 ? [String(count)] : [])].join(" ");
}

export function pickGroupColour(id: string, palette: Palette): string {
  let sum = 0;
  for (let i = 0; i < id.length; i++) sum = (sum * 31 + id.charCodeAt(i)) >>> 0;
  return palette.groups[sum % palette.groups.length]!;
}

function pickTone(tone: Tone, palette: Palette): string {
  return tone === "none" ? palette.soft : palette[tone];
}

function isFaded(scene: Scene, card: number, { cone }: Lights): boolean {
  if (!cone) return false;
  const { id, rows, members } = scene.picture.cards[card]!;
  return !cone.has(id) && !rows.some((row) => cone.has(row.id)) && !members.some((member) => cone.has(member.id));
}

function drawBlocks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  [left, top, right, bottom]: Window4,
  view: Viewport,
  palette: Palette,
  lights: Lights,
): number {
  const { boxes } = scene;
  const { cards } = scene.picture;
  const colours = new Map<string, number[]>();
  const rings: [number, string][] = [];
  let drawn = 0;
  for (let i = 0, at = 0; i < cards.length; i++, at += 4) {
    if (boxes[at]! > right || boxes[at]! + boxes[at + 2]! < left || boxes[at + 1]! > bottom || boxes[at + 1]! + boxes[at + 3]! < top)
      continue;
    drawn++;
    const card = cards[i]!;
    const mark = lights.marks.size > 0 ? lights.marks.get(card.id) : undefined;
    const domain = card.node.domain;
    const colour = mark ? pickTone(mark.tone, palette) : domain ? pickGroupColour(domain.id, palette) : palette.strongLine;
    const key = `${isFaded(scene, i, lights) ? "f" : "n"}${colour}`;
    const members = colours.get(key);
    if (members) members.push(at);
    else colours.set(key, [at]);
    if (card.id === lights.focus) rings.push([at, palette.focus]);
    else if (card.node.start || lights.found.has(card.id)) rings.push([at, palette.accent]);
  }
  for (const [key, members] of colours) {
    context.globalAlpha = key[0] === "f" ? FADED : 1;
    context.fillStyle = key.slice(1);
    context.beginPath();
    for (const at of members) context.rect(boxes[at]!, boxes[at + 1]!, boxes[at + 2]!, boxes[at + 3]!);
    context.fill();
  }
  context.globalAlpha = 1;
  const room = HEAD_HEIGHT * view.zoom;
  if (room > 9) {
    // A letter for the domain: colours alone tell nothing to some readers.
    context.font = `700 ${HEAD_HEIGHT * 0.8}px ${palette.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = palette.card;
    for (const members of colours.values())
      for (const at of members) {
        const name = cards[at / 4]!.node.domain?.name;
        if (name) context.fillText(Array.from(name)[0]!.toUpperCase(), boxes[at]! + CARD_WIDTH / 2, boxes[at + 1]! + HEAD_HEIGHT / 2);
      }
  }
  context.lineWidth = 3 / view.zoom;
  for (const [at, colour] of rings) {
    context.strokeStyle = colour;
    context.strokeRect(boxes[at]!, boxes[at + 1]!, boxes[at + 2]!, boxes[at + 3]!);
  }
  return drawn;
}

function drawCards(
  context: CanvasRenderingContext2D,
  scene: Scene,
  [left, top, right, bottom]: Window4,
  palette: Palette,
  lights: Lights,
): number {
  const { boxes } = scene;
  let drawn = 0;
  for (let i = 0, at = 0; i < scene.picture.cards.length; i++, at += 4) {
    if (boxes[at]! - 30 > right || boxes[at]! + boxes[at + 2]! + 30 < left) continue;
    if (boxes[at + 1]! > bottom || boxes[at + 1]! + boxes[at + 3]! < top) continue;
    drawn++;
    context.globalAlpha = isFaded(scene, i, lights) ? FADED : 1;
    drawCard(context, scene, i, palette, lights);
  }
  return drawn;
}

function drawCard(context: CanvasRenderingContext2D, scene: Scene, index: number, palette: Palette, lights: Lights): void {
  const card = scene.picture.cards[index]!;
  const { node } = card;
  const [x, y, width, height] = [
    scene.boxes[index * 4]!,
    scene.boxes[index * 4 + 1]!,
    scene.boxes[index * 4 + 2]!,
    scene.boxes[index * 4 + 3]!,
  ];
  const ringed = card.id === lights.focus || card.rows.some((row) => row.id === lights.focus);
  context.fillStyle = palette.card;
  context.strokeStyle = ringed ? palette.focus : node.start || lights.found.has(card.id) ? palette.accent : palette.strongLine;
  context.lineWidth = ringed ? 3 : node.start || lights.pinned === card.id || lights.found.has(card.id) ? 2 : 1;
  context.setLineDash(DASHES[node.reach]);
  context.beginPath();
  context.roundRect(x, y, width, height, 6);
  context.fill();
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = node.domain ? pickGroupColour(node.domain.id, palette) : palette.line;
  context.fillRect(x + 1, y + 6, 4, Math.min(height, HEAD_HEIGHT) - 12);
  context.textAlign = "left";
  context.textBaseline = "middle";
  const mark = lights.marks.get(card.id);
  const [pinned, masked] = [lights.pinned === card.id, node.masked];
  const signs = (pinned ? 14 : 0) + (masked ? 14 : 0);
  context.font = `600 13px ${palette.font}`;
  context.fillStyle = palette.text;
  context.fillText(fitText(context, nameCard(scene, index), width - 44 - signs), x + 22, y + 18);
  if (masked) drawShield(context, x + width - 26, y + 18);
  if (pinned) {
    context.beginPath();
    context.arc(x + width - (masked ? 40 : 26), y + 18, 4, 0, 2 * Math.PI);
    context.fill();
  }
  context.font = `12px ${palette.font}`;
  context.fillStyle = mark ? pickTone(mark.tone, palette) : palette.soft;
  context.fillText(fitText(context, mark ? mark.label : captionCard(scene, index), width - 44), x + 22, y + 36);
  card.rows.forEach((row, i) => {
    const rowY = y + HEAD_HEIGHT + i * ROW_HEIGHT;
    const dim = lights.cone !== null && !lights.cone.has(row.id);
    if (row.id === lights.hovered || row.id === lights.pinned || row.id === lights.focus) {
      context.fillStyle = palette.raised;
      context.fillRect(x + 2, rowY, width - 4, ROW_HEIGHT);
    }
    const alpha = context.globalAlpha;
    if (dim) context.globalAlpha = alpha * 0.45;
    context.fillStyle = palette.text;
    context.font = `12px ${palette.font}`;
    const rowMark = lights.marks.get(row.id);
    const right = rowMark?.label ?? row.dataType ?? "";
    context.fillText(fitText(context, showName(row.name), width - (right ? 100 : 28)), x + 14, rowY + ROW_HEIGHT / 2);
    context.textAlign = "right";
    context.fillStyle = rowMark ? pickTone(rowMark.tone, palette) : palette.soft;
    context.fillText(fitText(context, showName(right), 72), x + width - 10, rowY + ROW_HEIGHT / 2);
    context.textAlign = "left";
    context.globalAlpha = alpha;
  });
  if (hasFoot(card)) {
    context.fillStyle = palette.soft;
    context.font = `11px ${palette.font}`;
    const text = card.rows.length === 0 ? `▸ ${card.moreRows} columns` : `and ${card.moreRows} more columns`;
    context.fillText(text, x + 14, y + height - FOOT_HEIGHT / 2 - 1);
  }
  for (const side of ["up", "down"] as const) drawStub(context, scene, index, side, palette);
}

/** The name of a card as it is drawn: the last part of a dotted name says most. */
export function nameCard(scene: Scene, index: number): string {
  return showName(scene.picture.cards[index]!.node.name);
}

export function captionCard(scene: Scene, index: number): string {
  const { node, members } = scene.picture.cards[index]!;
  if (members.length > 0) return `${node.kind === "DOMAIN" ? "domain" : "product"} · ${members.length} inside`;
  const place = node.product?.name ?? node.domain?.name;
  const owner = node.owners[0]?.name;
  return showName([place, owner].filter(Boolean).join(" · ") || node.kind.toLowerCase().replace("_", " "));
}

function drawStub(context: CanvasRenderingContext2D, scene: Scene, index: number, side: "up" | "down", palette: Palette): void {
  const text = describeStub(scene.picture.cards[index]!, side);
  if (text === null) return;
  const rect = stubOf(scene, index, side);
  context.font = `600 12px ${palette.font}`;
  const width = text.length > 3 ? rect.width : text === "−" ? 18 : 30;
  const middle = rect.x + rect.width / 2;
  context.fillStyle = text === "−" ? palette.card : palette.accent;
  context.strokeStyle = text === "−" ? palette.strongLine : palette.accent;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(middle - width / 2, rect.y + 3, width, rect.height - 6, 9);
  context.fill();
  context.stroke();
  context.fillStyle = text === "−" ? palette.text : palette.onAccent;
  context.textAlign = "center";
  context.fillText(text, middle, rect.y + rect.height / 2 + 0.5);
  context.textAlign = "left";
}

const fitted = new Map<string, string>();

/** A text cut in the middle so that it fits; measured once. */
function fitText(context: CanvasRenderingContext2D, text: string, width: number): string {
  const key = `${context.font} ${width} ${text}`;
  const known = fitted.get(key);
  if (known !== undefined) return known;
  let shown = text.length > 200 ? cutName(text, 200) : text;
  if (context.measureText(shown).width > width) {
    let [few, many] = [1, Array.from(shown).length];
    while (few < many) {
      const middle = Math.ceil((few + many) / 2);
      if (context.measureText(cutName(text, middle)).width <= width) few = middle;
      else many = middle - 1;
    }
    shown = cutName(text, few);
  }
  if (fitted.size > 20_000) fitted.clear();
  fitted.set(key, shown);
  return shown;
}
