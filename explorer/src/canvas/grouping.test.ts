import { describe, expect, test } from "vitest";
import { readCompact } from "./answers";
import { findGroup, MOST_UNGROUPED, resolveGrouping } from "./grouping";
import { markCards } from "./marks";
import { buildPicture, FIRST_VIEW, mergeAnswer, NOTHING } from "./model";
import { buildOutline } from "./outline";
import { makeEdge, makeNode } from "./samples";

/** A hub with so many readers, in namespaces of a hundred; `domains`: the share of them that has one of ten domains. */
function makeHub(count: number, domains: number) {
  const readers = Array.from({ length: count }, (_, i) =>
    makeNode(`r${i}`, {
      name: `r${i}`,
      qualifiedName: `db://host/schema_${Math.floor(i / 100)}.r${i}`,
      domain: i < count * domains ? { id: `d${i % 10}`, name: `Domain ${i % 10}` } : null,
    }),
  );
  const hub = makeNode("hub", { start: true, qualifiedName: "db://host/core.hub", domain: { id: "d0", name: "Domain 0" } });
  return mergeAnswer(NOTHING, { nodes: [hub, ...readers], edges: readers.map((reader) => makeEdge("hub", reader.id)) });
}

describe("resolveGrouping", () => {
  test("a picture that readers can see whole is not grouped", () => {
    expect(resolveGrouping(FIRST_VIEW, makeHub(200, 1)).grouping).toBe("none");
  });

  test("a larger one is grouped by what nearly all nodes have, every group closed, and no node is lost", () => {
    const known = makeHub(MOST_UNGROUPED + 1000, 1);
    const view = resolveGrouping(FIRST_VIEW, known);
    expect(view.grouping).toBe("domain");
    const picture = buildPicture(known, view);
    expect(picture.cards).toHaveLength(10);
    expect(picture.cards.reduce((sum, card) => sum + card.members.length, 0)).toBe(MOST_UNGROUPED + 1001);
  });

  test("without domains and products: by namespace", () => {
    const known = makeHub(MOST_UNGROUPED + 1000, 0.5);
    const view = resolveGrouping(FIRST_VIEW, known);
    expect(view.grouping).toBe("namespace");
    expect(buildPicture(known, view).cards).toHaveLength(61);
  });

  test("an opened group is open among the closed ones, and the reader's own choice is kept", () => {
    const known = makeHub(MOST_UNGROUPED + 1000, 1);
    const view = { ...FIRST_VIEW, grouping: "domain" as const, closed: new Set(["*", "d3"]) };
    expect(resolveGrouping(view, known)).toBe(view);
    expect(buildPicture(known, view).cards).toHaveLength(9 + 600);
    expect(resolveGrouping({ ...FIRST_VIEW, grouping: "none" }, known).grouping).toBe("none");
  });
});

test("a namespace is what stands before the last part of a name", () => {
  const find = (name: string, qualifiedName: string) => findGroup(makeNode("x", { name, qualifiedName }), "namespace")?.name;
  expect(find("public.orders", "postgres://db:5432/shop.public.orders")).toBe("postgres://db:5432/shop.public");
  expect(find("orders", "s3://bucket/orders")).toBe("s3://bucket");
  expect(find("orders", "orders")).toBeUndefined();
});

describe("readCompact", () => {
  const answer = readCompact({
    downstream: {
      ...{ ids: ["a", "b"], kinds: ["DATASET", "DATASET"], names: ["a", "b"], qualifiedNames: ["db/a", "db/b"] },
      ...{ reach: ["DIRECT", "INDIRECT"], masked: [false, true], start: [true, false], domain: [-1, 0], product: [-1, -1] },
      ...{ dataset: [-1, -1], domains: [{ id: "d", name: "Sales" }], products: [], datasets: [] },
      edges: { from: [0], to: [1], bits: [1 + 4 + 16], count: [3], hidden: [0] },
      ungrouped: 0,
      completeness: {} as never,
    },
  });

  test("has the nodes, groups, and the bits of each edge", () => {
    expect(answer.nodes.map(({ id, reach, masked, start, domain }) => [id, reach, masked, start, domain?.name])).toEqual([
      ["a", "DIRECT", false, true, undefined],
      ["b", "INDIRECT", true, false, "Sales"],
    ]);
    expect(answer.edges[0]).toMatchObject({
      from: "a",
      to: "b",
      reach: "INDIRECT",
      masking: true,
      stale: false,
      provisional: true,
      count: 3,
    });
  });

  test("what it leaves out is called not loaded, not absent", () => {
    const picture = buildPicture(mergeAnswer(NOTHING, answer), FIRST_VIEW);
    const row = buildOutline(picture, new Map()).find((one) => one.id === "b")!;
    expect(row.label).toContain("owner not loaded");
    expect(row.label).not.toContain("no owner");
    const source = { now: 0, violations: new Map(), allViolations: true };
    for (const overlay of ["owner", "quality", "freshness"] as const)
      expect(markCards(picture.cards, overlay, source).get("b")).toEqual({ label: "not loaded", tone: "none" });
  });

  test("a fuller answer replaces a brief one, and never the other way round", () => {
    const full = {
      nodes: [makeNode("b", { owners: [{ id: "o", name: "Team" }] })],
      edges: [makeEdge("a", "b", { jobs: [{ id: "j", name: "j" }] })],
    };
    for (const known of [
      mergeAnswer(mergeAnswer(NOTHING, answer), full),
      mergeAnswer(mergeAnswer(NOTHING, { ...full, nodes: [...answer.nodes.slice(0, 1), ...full.nodes] }), answer),
      mergeAnswer(mergeAnswer(NOTHING, answer), full, "b"),
    ]) {
      expect(known.nodes.get("b")).toMatchObject({ owners: [{ name: "Team" }] });
      expect(known.nodes.get("b")!.brief).toBeUndefined();
      expect(known.edges.get("a b")!.jobs).toHaveLength(1);
    }
  });
});
