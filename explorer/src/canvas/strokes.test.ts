import { beforeAll, describe, expect, test, vi } from "vitest";
import { computeLayout } from "./layout";
import type { Lights } from "./lights";
import { growMesh } from "./meshes";
import { buildPicture, FIRST_VIEW, mergeAnswer, NOTHING } from "./model";
import { LIGHT } from "./palette";
import { makeEdge, makeNode } from "./samples";
import { buildScene, listBoxes, type Scene } from "./scene";
import { drawLines } from "./strokes";
import { fit, visiblePart } from "./viewport";

const DARK: Lights = { focus: null, hovered: null, cone: null, pinned: null, marks: new Map(), line: null, found: new Set() };
const SIZE = { width: 1600, height: 900 };

interface Stroke {
  dashes: number[];
  alpha: number;
  width: number;
  colour: string;
  /** The heights of all points since the path was begun. */
  heights: number[];
}

/** Takes down what is stroked, instead of painting it. */
class Recorder {
  globalAlpha = 1;
  lineWidth = 1;
  strokeStyle = "";
  fillStyle = "";
  strokes: Stroke[] = [];
  /** What is written, and how many strokes came before it. */
  texts: { text: string; after: number }[] = [];
  scale = 1;
  private dashes: number[] = [];
  private heights: number[] = [];
  setLineDash(dashes: number[]) {
    this.dashes = dashes;
  }
  getTransform() {
    return { a: this.scale };
  }
  beginPath() {
    this.heights = [];
  }
  moveTo(_: number, y: number) {
    this.heights.push(y);
  }
  lineTo(_: number, y: number) {
    this.heights.push(y);
  }
  bezierCurveTo(...numbers: number[]) {
    this.heights.push(numbers[5]!);
  }
  stroke(path?: { heights: number[] }) {
    const { dashes, globalAlpha: alpha, lineWidth: width, strokeStyle: colour } = this;
    const heights = path?.heights ?? this.heights;
    if (heights.length > 0) this.strokes.push({ dashes, alpha, width, colour, heights });
  }
  fill() {}
  roundRect() {}
  fillText(text: string) {
    this.texts.push({ text, after: this.strokes.length });
  }
  measureText() {
    return { width: 10 };
  }
}

beforeAll(() => {
  vi.stubGlobal("Path2D", Recorder);
});

function makeScene(nodes: string[], links: [string, string][], reaches: ("DIRECT" | "INDIRECT")[], count = 1): Scene {
  const known = mergeAnswer(NOTHING, {
    nodes: nodes.map((id) => makeNode(id, { start: true })),
    edges: links.map(([from, to], i) => makeEdge(from, to, { reach: reaches[i % reaches.length]!, count })),
  });
  const picture = buildPicture(known, FIRST_VIEW);
  const { boxes, links: wanted } = listBoxes(picture, false);
  return buildScene(picture, computeLayout(boxes, wanted), false);
}

function record(scene: Scene, zoom: number | "fit" | "all near", lights = DARK): Recorder {
  const middle = { x: scene.bounds.x + scene.bounds.width / 2, y: 0 };
  const view = zoom === "fit" ? fit(scene.bounds, SIZE) : { ...middle, zoom: zoom === "all near" ? 0.4 : zoom };
  const recorder = new Recorder();
  recorder.scale = view.zoom;
  const part = zoom === "all near" ? scene.bounds : visiblePart(view, SIZE);
  const window = [part.x, part.y, part.x + part.width, part.y + part.height] as const;
  drawLines(recorder as unknown as CanvasRenderingContext2D, scene, window, view, LIGHT, lights);
  return recorder;
}

const mesh = growMesh(3000);
const large = makeScene(
  mesh.boxes.map((box) => box.id),
  mesh.links.map((link) => [link.from, link.to]),
  ["DIRECT", "INDIRECT"],
);
const small = makeScene(
  ["a", "b", "c"],
  [
    ["a", "b"],
    ["b", "c"],
  ],
  ["DIRECT", "INDIRECT"],
);

describe("drawLines", () => {
  test("traces no dash that is far from the window, though the picture is many windows high", () => {
    expect(large.bounds.height).toBeGreaterThan(10 * SIZE.height);
    const heights = record(large, 1).strokes.flatMap((stroke) => stroke.heights);
    expect(heights.length).toBeGreaterThan(100);
    // A stretch that is cut begins or ends at most some hundred pixels outside.
    expect(Math.max(...heights.map(Math.abs))).toBeLessThan(SIZE.height / 2 + 700);
  });

  test("tells direct from indirect without colour, near by dashes, far away by tone and width", () => {
    const near = record(small, 1).strokes;
    expect(new Set(near.map((stroke) => stroke.dashes.length > 0))).toEqual(new Set([true, false]));
    const far = record(large, "fit").strokes;
    expect(new Set(far.map((stroke) => stroke.colour)).size).toBe(1);
    expect(new Set(far.map((stroke) => `${stroke.alpha} ${stroke.width}`)).size).toBe(2);
  });

  test("far away all lines of a style are one path, and near by many are a pixel wide, as wide ones are painted as one shape", () => {
    expect(record(large, "fit").strokes).toHaveLength(2);
    expect(record(small, 1).strokes).toHaveLength(2);
    expect(new Set(record(small, 1).strokes.map((stroke) => stroke.width))).toEqual(new Set([1.5]));
  });

  test("what is off the cone is faded, and what is on it has its own colour", () => {
    const lit = record(small, 1, { ...DARK, cone: new Set(["a", "b"]) }).strokes;
    expect(lit.map(({ alpha, colour }) => [alpha < 0.3, colour === LIGHT.accent])).toEqual(
      expect.arrayContaining([
        [true, false],
        [false, true],
      ]),
    );
  });

  test("the broad line of the chosen one does not cover its own number", () => {
    const scene = makeScene(["a", "b"], [["a", "b"]], ["DIRECT"], 8);
    const { strokes, texts } = record(scene, 1, { ...DARK, line: scene.picture.lines[0]!.id });
    expect(strokes.at(-1)!.colour).toBe(LIGHT.focus);
    expect(texts.at(-1)).toEqual({ text: "8", after: strokes.length });
    expect(record(scene, 0.2, { ...DARK, line: scene.picture.lines[0]!.id }).texts).toEqual([]);
  });

  test("a crowd of lines has no dashes, which would be a grey of their own, and is as light as far away", () => {
    const readers = Array.from({ length: 1200 }, (_, i) => `reader_${i}`);
    const fan = (many: number) => {
      const ends = readers.slice(0, many);
      return record(
        makeScene(
          ["hub", ...ends],
          ends.map((end) => ["hub", end]),
          ["INDIRECT"],
        ),
        "all near",
      );
    };
    const [few, crowd] = [fan(400).strokes, fan(1200).strokes];
    expect([few.length, crowd.length]).toEqual([1, 1]);
    expect([few[0]!.dashes.length, few[0]!.alpha]).toEqual([2, 1]);
    expect(crowd[0]!.dashes).toEqual([]);
    expect(crowd[0]!.alpha).toBeLessThan(0.5);
  });
});
