import { describe, expect, test } from "vitest";
import { buildPicture, collectCone, FIRST_VIEW, findCards, isVeiled, mergeAnswer, NOTHING, type View } from "./model";
import { makeEdge, makeNode } from "./samples";
import { describeLine } from "./strokes";

const names = (view: Partial<View>, known = KNOWN) =>
  buildPicture(known, { ...FIRST_VIEW, ...view })
    .cards.map((card) => card.id)
    .sort()
    .join(" ");

// a -> b -> c -> d, x -> c
const KNOWN = mergeAnswer(NOTHING, {
  nodes: [
    makeNode("a", { downstream: { direct: 1 }, upstream: { direct: 0 } }),
    makeNode("b", { start: true, upstream: { direct: 1 }, downstream: { direct: 3 } }),
    makeNode("c", { upstream: { direct: 2 }, downstream: { direct: 1 } }),
    makeNode("d"),
  ],
  edges: [makeEdge("a", "b"), makeEdge("b", "c", { reach: "INDIRECT" }), makeEdge("c", "d")],
});

describe("buildPicture", () => {
  test("starts with one hop each way, and counts what is not shown", () => {
    const picture = buildPicture(KNOWN, FIRST_VIEW);
    expect(picture.cards.map((card) => [card.id, card.hop])).toEqual([
      ["b", 0],
      ["a", -1],
      ["c", 1],
    ]);
    expect(picture.hidden).toBe(1);
    const c = picture.cards[picture.cardOf.get("c")!]!;
    expect([c.moreUp, c.moreDown]).toEqual([1, 1]);
    const b = picture.cards[picture.cardOf.get("b")!]!;
    expect([b.moreUp, b.moreDown]).toEqual([0, 2]);
  });

  test("opens and closes hops, and what was only reachable through a hop goes with it", () => {
    expect(names({ open: new Set(["c:down"]) })).toBe("a b c d");
    expect(names({ open: new Set(["c:down"]), shut: new Set(["b:down"]) })).toBe("a b");
    expect(names({ depth: 2 })).toBe("a b c d");
    expect(names({ sides: ["up"] })).toBe("a b");
  });

  test("an unknown number of neighbours is not shown as none", () => {
    const known = mergeAnswer(NOTHING, { nodes: [makeNode("a", { start: true }), makeNode("b")], edges: [makeEdge("a", "b")] });
    const picture = buildPicture(known, FIRST_VIEW);
    expect(picture.cards.map((card) => [card.id, card.moreUp, card.moreDown])).toEqual([
      ["a", 0, 0],
      ["b", null, null],
    ]);
  });

  test("a line is veiled if nothing but a way through hidden assets connects its ends", () => {
    const nodes = [makeNode("a", { start: true }), makeNode("b"), makeNode("c")];
    const edges = [makeEdge("a", "b", { hidden: 2, count: 0 }), makeEdge("a", "c", { hidden: 0 })];
    const { lines } = buildPicture(mergeAnswer(NOTHING, { nodes, edges }), FIRST_VIEW);
    expect(lines.map(isVeiled)).toEqual([true, false]);
    expect(lines.map(describeLine)).toEqual(["through what you may not see", ""]);
  });

  test("the reach filter thins lines out and counts them", () => {
    const picture = buildPicture(KNOWN, { ...FIRST_VIEW, reach: new Set(["DIRECT"]) });
    expect(picture.lines.map((line) => [line.reach, line.faint])).toEqual([
      ["DIRECT", false],
      ["INDIRECT", true],
    ]);
    expect(picture.byReach).toEqual({ DIRECT: 1, INDIRECT: 1, POSSIBLE: 0 });
  });

  test("an expanded node passes on that it is reached less surely, and masked", () => {
    const first = mergeAnswer(NOTHING, {
      nodes: [makeNode("a", { start: true }), makeNode("b", { reach: "POSSIBLE", masked: true })],
      edges: [makeEdge("a", "b", { reach: "POSSIBLE" })],
    });
    const known = mergeAnswer(first, { nodes: [makeNode("b", { start: true }), makeNode("c")], edges: [makeEdge("b", "c")] }, "b");
    expect(known.nodes.get("c")).toMatchObject({ reach: "POSSIBLE", masked: true, start: false });
    expect(known.nodes.get("b")).toMatchObject({ reach: "POSSIBLE", start: false });
  });

  test("columns of an open dataset are rows, and their lines replace the line of the datasets", () => {
    const column = (id: string, dataset: string, position: number) =>
      makeNode(id, { kind: "COLUMN", parent: { id: dataset, name: dataset }, position });
    const known = mergeAnswer(
      KNOWN,
      {
        nodes: [column("b.2", "b", 2), column("b.1", "b", 1), column("c.1", "c", 1)],
        edges: [makeEdge("b.1", "c.1"), makeEdge("b.2", "c.1")],
      },
      "b",
    );
    expect(buildPicture(known, FIRST_VIEW).lines).toHaveLength(2);
    const picture = buildPicture(known, { ...FIRST_VIEW, columns: new Set(["b"]) });
    const b = picture.cards[picture.cardOf.get("b")!]!;
    expect(b.rows.map((row) => row.id)).toEqual(["b.1", "b.2"]);
    expect(picture.lines.map((line) => line.id).sort()).toEqual(["a b", "b.1 c", "b.2 c"]);
  });

  test("at the level of columns, columns of one dataset share a card", () => {
    const column = (id: string, dataset: string, start = false) =>
      makeNode(id, { kind: "COLUMN", parent: { id: dataset, name: dataset }, start });
    const known = mergeAnswer(NOTHING, {
      nodes: [column("b.1", "b", true), column("c.1", "c"), column("c.2", "c")],
      edges: [makeEdge("b.1", "c.1"), makeEdge("b.1", "c.2")],
    });
    const picture = buildPicture(known, { ...FIRST_VIEW, granularity: "COLUMN" });
    expect(picture.cards.map((card) => [card.id, card.rows.length])).toEqual([
      ["b", 1],
      ["c", 2],
    ]);
    expect(picture.lines).toHaveLength(2);
  });

  test("what a filter reaches is shown with all its columns, which no edge leads to, and what follows from them", () => {
    const column = (id: string, dataset: string, start = false) =>
      makeNode(id, { kind: "COLUMN", parent: { id: dataset, name: dataset }, start });
    const known = mergeAnswer(NOTHING, {
      nodes: [column("a.1", "a", true), makeNode("b", { reach: "INDIRECT" }), column("b.1", "b"), column("b.2", "b"), column("c.1", "c")],
      edges: [makeEdge("a.1", "b", { reach: "INDIRECT" }), makeEdge("b.2", "c.1")],
    });
    const picture = buildPicture(known, { ...FIRST_VIEW, granularity: "COLUMN", depth: 2 });
    expect(picture.cards.map((card) => [card.id, card.rows.length])).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 1],
    ]);
    expect(picture.hidden).toBe(0);
  });

  test("a card of columns counts its open hop by what is missing, a closed one by the column with the most neighbours", () => {
    const column = (id: string, more: Parameters<typeof makeNode>[1]) =>
      makeNode(id, { kind: "COLUMN", parent: { id: "b", name: "b" }, ...more });
    const known = mergeAnswer(NOTHING, {
      nodes: [
        column("b.1", { start: true, upstream: { direct: 0 }, downstream: { direct: 12 } }),
        column("b.2", { upstream: { direct: 3 }, downstream: { direct: 9 } }),
        makeNode("b", { upstream: { direct: 4 }, downstream: { direct: 27 } }),
      ],
      edges: [],
    });
    const card = (view: Partial<View>) => buildPicture(known, { ...FIRST_VIEW, granularity: "COLUMN", ...view }).cards[0]!;
    expect([card({}).moreUp, card({}).moreDown]).toEqual([0, 0]);
    expect([card({ sides: ["down"] }).moreUp, card({ sides: ["up"] }).moreDown]).toEqual([4, 27]);
  });

  test("flows between a dataset and its own columns are counted, not drawn", () => {
    const parent = { id: "b", name: "b" };
    const known = mergeAnswer(NOTHING, {
      nodes: [makeNode("b.1", { kind: "COLUMN", parent, start: true }), makeNode("b")],
      edges: [makeEdge("b.1", "b", { reach: "INDIRECT" })],
    });
    const picture = buildPicture(known, { ...FIRST_VIEW, granularity: "COLUMN" });
    expect(picture.cards.map((card) => [card.id, card.rows.map((row) => row.id)])).toEqual([["b", ["b.1"]]]);
    expect([picture.lines.length, picture.within]).toEqual([0, 1]);
  });

  test("a closed group is one card with its members counted", () => {
    const sales = { id: "s", name: "Sales" };
    const known = mergeAnswer(NOTHING, {
      nodes: [makeNode("a", { start: true }), makeNode("b", { domain: sales }), makeNode("c", { domain: sales })],
      edges: [makeEdge("a", "b"), makeEdge("a", "c"), makeEdge("b", "c")],
    });
    const picture = buildPicture(known, { ...FIRST_VIEW, grouping: "domain", closed: new Set(["s"]) });
    expect(picture.cards.map((card) => [card.id, card.members.length])).toEqual([
      ["a", 0],
      ["group:s", 2],
    ]);
    expect(picture.lines.map((line) => [line.id, line.edges.length])).toEqual([["a group:s", 2]]);
  });

  test("cones and finding", () => {
    expect([...collectCone(KNOWN, "c")].sort()).toEqual(["a", "b", "c", "d"]);
    expect([...collectCone(KNOWN, "a")].sort()).toEqual(["a", "b", "c", "d"]);
    expect(findCards(buildPicture(KNOWN, FIRST_VIEW), "DB/C")).toEqual(["c"]);
    expect(findCards(buildPicture(KNOWN, FIRST_VIEW), " ")).toEqual([]);
  });
});
