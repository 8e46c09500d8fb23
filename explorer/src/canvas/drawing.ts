/** Draws a scene on a 2D canvas. Only what is visible is drawn; far away boxes are blocks and lines are straight. */
import { cutName, showName } from "../names";
import { isFaded, type Lights } from "./lights";
import type { Tone } from "./marks";
import { isUser } from "./model";
import type { Palette } from "./palette";
import {
  CARD_WIDTH,
  describeStub,
  FAR,
  FOOT_HEIGHT,
  HEAD_HEIGHT,
  hasFoot,
  pointBox,
  type Rect,
  ROW_HEIGHT,
  type Scene,
  shapeOf,
  stubOf,
} from "./scene";
import { DASHES, drawLines, drawShield, FADED, type Window4 } from "./strokes";
import { type Size, type Viewport, visiblePart } from "./viewport";

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

export function pickGroupColour(id: string, palette: Palette): string {
  let sum = 0;
  for (let i = 0; i < id.length; i++) sum = (sum * 31 + id.charCodeAt(i)) >>> 0;
  return palette.groups[sum % palette.groups.length]!;
}

function pickTone(tone: Tone, palette: Palette): string {
  return tone === "none" ? palette.soft : palette[tone];
}

/** Boxes of one colour, faded or not. */
interface Blocks {
  colour: string;
  faded: boolean;
  path: Path2D;
  /** Where each box begins among the numbers of the scene. */
  members: number[];
}

const sorted = new WeakMap<Scene, { palette: Palette; marks: Lights["marks"]; cone: Lights["cone"]; blocks: Blocks[] }>();

/** All boxes by colour: worked out when colours change, not for each frame. */
function sortBlocks(scene: Scene, palette: Palette, lights: Lights): Blocks[] {
  const known = sorted.get(scene);
  if (known?.palette === palette && known.marks === lights.marks && known.cone === lights.cone) return known.blocks;
  const found = new Map<string, Blocks>();
  scene.picture.cards.forEach(({ id, node }, i) => {
    const mark = lights.marks.get(id);
    const colour = mark ? pickTone(mark.tone, palette) : node.domain ? pickGroupColour(node.domain.id, palette) : palette.strongLine;
    const faded = isFaded(scene, i, lights);
    const key = `${faded} ${colour}`;
    let blocks = found.get(key);
    if (!blocks) {
      blocks = { colour, faded, path: new Path2D(), members: [] };
      found.set(key, blocks);
    }
    const at = i * 4;
    blocks.members.push(at);
    blocks.path.rect(...placeBlock(scene, at));
  });
  const blocks = [...found.values()];
  sorted.set(scene, { palette, marks: lights.marks, cone: lights.cone, blocks });
  return blocks;
}

/** Far away a job is flat, and a consumer narrow. */
function placeBlock({ boxes, picture }: Scene, at: number): [x: number, y: number, width: number, height: number] {
  const [x, y, width, height] = [boxes[at]!, boxes[at + 1]!, boxes[at + 2]!, boxes[at + 3]!];
  const shape = shapeOf(picture.cards[at / 4]!.node);
  if (shape === "round") return [x, y + height / 3, width, height / 3];
  return shape === "pointed" ? [x, y, width / 3, height] : [x, y, width, height];
}

function traceShape(context: CanvasRenderingContext2D, kind: string, box: Rect): void {
  const shape = shapeOf({ kind });
  context.beginPath();
  if (shape !== "pointed") context.roundRect(box.x, box.y, box.width, box.height, shape === "round" ? box.height / 2 : 6);
  else {
    const corners = pointBox(box);
    for (let i = 0; i < corners.length; i += 2) context.lineTo(corners[i]!, corners[i + 1]!);
    context.closePath();
  }
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
  const { cards, cardOf } = scene.picture;
  const isInside = (at: number) =>
    boxes[at]! <= right && boxes[at]! + boxes[at + 2]! >= left && boxes[at + 1]! <= bottom && boxes[at + 1]! + boxes[at + 3]! >= top;
  const room = HEAD_HEIGHT * view.zoom;
  let drawn = 0;
  for (const { colour, faded, path, members } of sortBlocks(scene, palette, lights)) {
    context.globalAlpha = faded ? FADED : 1;
    context.fillStyle = colour;
    const inside = members.filter(isInside);
    drawn += inside.length;
    if (inside.length * 2 > members.length) context.fill(path);
    else {
      context.beginPath();
      for (const at of inside) context.rect(...placeBlock(scene, at));
      context.fill();
    }
    if (room <= 9) continue;
    // A letter for the domain: colours alone tell nothing to some readers.
    context.globalAlpha = 1;
    context.font = `700 ${HEAD_HEIGHT * 0.8}px ${palette.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = palette.card;
    for (const at of inside) {
      const name = cards[at / 4]!.node.domain?.name;
      if (name) context.fillText(Array.from(name)[0]!.toUpperCase(), boxes[at]! + CARD_WIDTH / 2, boxes[at + 1]! + HEAD_HEIGHT / 2);
    }
  }
  context.globalAlpha = 1;
  context.lineWidth = 3 / view.zoom;
  const ring = (card: number | undefined, colour: string) => {
    if (card === undefined || !isInside(card * 4)) return;
    context.strokeStyle = colour;
    context.strokeRect(boxes[card * 4]!, boxes[card * 4 + 1]!, boxes[card * 4 + 2]!, boxes[card * 4 + 3]!);
  };
  for (const start of listStarts(scene)) ring(start, palette.accent);
  for (const id of lights.found) ring(cardOf.get(id), palette.accent);
  if (lights.focus !== null) ring(cardOf.get(lights.focus), palette.focus);
  return drawn;
}

const starts = new WeakMap<Scene, number[]>();

function listStarts(scene: Scene): number[] {
  const known = starts.get(scene) ?? scene.picture.cards.flatMap((card, i) => (card.node.start ? [i] : []));
  starts.set(scene, known);
  return known;
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
  context.fillStyle = isUser(node) ? palette.raised : palette.card;
  context.strokeStyle = ringed ? palette.focus : node.start || lights.found.has(card.id) ? palette.accent : palette.strongLine;
  context.lineWidth = ringed ? 3 : node.start || lights.pinned === card.id || lights.found.has(card.id) ? 2 : 1;
  context.setLineDash(DASHES[node.reach]);
  traceShape(context, node.kind, { x, y, width, height });
  context.fill();
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = node.domain ? pickGroupColour(node.domain.id, palette) : palette.line;
  if (!isUser(node)) context.fillRect(x + 1, y + 6, 4, Math.min(height, HEAD_HEIGHT) - 12);
  context.textAlign = "left";
  context.textBaseline = "middle";
  const mark = lights.marks.get(card.id);
  const [pinned, masked] = [lights.pinned === card.id, node.masked];
  const signs = (pinned ? 14 : 0) + (masked ? 14 : 0);
  const [bold, plain] = [`600 13px ${palette.font}`, `12px ${palette.font}`];
  const { name, caption } = nameParts(scene, index);
  context.font = bold;
  context.fillStyle = palette.text;
  context.fillText(fitText(context, name, width - 44 - signs, bold), x + 22, y + 18);
  if (masked) drawShield(context, x + width - 26, y + 18);
  if (pinned) {
    context.beginPath();
    context.arc(x + width - (masked ? 40 : 26), y + 18, 4, 0, 2 * Math.PI);
    context.fill();
  }
  context.font = plain;
  context.fillStyle = mark ? pickTone(mark.tone, palette) : palette.soft;
  context.fillText(fitText(context, mark ? mark.label : caption, width - 44, plain), x + 22, y + 36);
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
    const rowMark = lights.marks.get(row.id);
    const right = rowMark?.label ?? row.dataType ?? "";
    context.fillText(fitText(context, showName(row.name), width - (right ? 100 : 28), plain), x + 14, rowY + ROW_HEIGHT / 2);
    context.textAlign = "right";
    context.fillStyle = rowMark ? pickTone(rowMark.tone, palette) : palette.soft;
    context.fillText(fitText(context, showName(right), 72, plain), x + width - 10, rowY + ROW_HEIGHT / 2);
    context.textAlign = "left";
    context.globalAlpha = alpha;
  });
  if (hasFoot(card)) {
    context.fillStyle = palette.soft;
    context.font = `11px ${palette.font}`;
    const text = card.allRows === 0 ? `▸ ${card.moreRows} columns` : `and ${card.moreRows} more columns`;
    context.fillText(text, x + 14, y + height - FOOT_HEIGHT / 2 - 1);
  }
  for (const side of ["up", "down"] as const) drawStub(context, scene, index, side, palette);
}

const parts = new WeakMap<Scene["picture"]["cards"][number], { name: string; caption: string }>();

/** The texts of a card, looked through for hidden characters once, not for each frame. */
function nameParts(scene: Scene, index: number): { name: string; caption: string } {
  const card = scene.picture.cards[index]!;
  const known = parts.get(card);
  if (known) return known;
  const made = { name: nameCard(scene, index), caption: captionCard(scene, index) };
  parts.set(card, made);
  return made;
}

/** The name of a card as it is drawn: the last part of a dotted name says most. */
export function nameCard(scene: Scene, index: number): string {
  return showName(scene.picture.cards[index]!.node.name);
}

export function captionCard(scene: Scene, index: number): string {
  const { node, members } = scene.picture.cards[index]!;
  if (members.length > 0) return `${node.kind === "DATA_PRODUCT" ? "product" : node.kind.toLowerCase()} · ${members.length} inside`;
  const place = node.product?.name ?? node.domain?.name;
  const owner = node.owners[0]?.name;
  if (isUser(node)) return showName([node.kind.toLowerCase(), owner].filter(Boolean).join(" · "));
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
function fitText(context: CanvasRenderingContext2D, text: string, width: number, font: string): string {
  const key = `${width} ${font} ${text}`;
  const known = fitted.get(key);
  if (known !== undefined) return known;
  context.font = font;
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
