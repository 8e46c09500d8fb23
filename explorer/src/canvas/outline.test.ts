import { describe, expect, test } from "vitest";
import { groupViolations, markCards } from "./marks";
import { buildPicture, FIRST_VIEW, mergeAnswer, NOTHING } from "./model";
import { buildOutline, findNeighbour, foldRows } from "./outline";
import { makeEdge, makeNode } from "./samples";

const known = mergeAnswer(NOTHING, {
  nodes: [
    makeNode("up", { upstream: { direct: 0 }, downstream: { direct: 1 } }),
    makeNode("focus", { start: true, upstream: { direct: 1 }, downstream: { direct: 2 } }),
    makeNode("orders", {
      ...{ reach: "INDIRECT", masked: true, owners: [{ id: "o", name: "Team A" }], checks: { passed: 1, failed: 3, other: 0 } },
      ...{ upstream: { direct: 1 }, downstream: { direct: 12 } },
    }),
    makeNode("late"),
  ],
  edges: [makeEdge("up", "focus"), makeEdge("focus", "orders"), makeEdge("orders", "late"), makeEdge("late", "focus")],
});
const view = { ...FIRST_VIEW, depth: 2 };
const picture = buildPicture(known, view);

describe("buildOutline", () => {
  test("has each card once, levels by hops", () => {
    const rows = buildOutline(picture, new Map());
    expect(rows.map((row) => row.id).sort()).toEqual(["focus", "late", "orders", "up"]);
    expect(rows[0]).toMatchObject({ id: "focus", level: 1, position: 1, siblings: 1, hasChildren: true });
    expect(rows.filter((row) => row.level === 2).length).toBeGreaterThan(1);
  });

  test("a row says distance, reach, masking, owner, mark and what is not shown", () => {
    const marks = markCards(picture.cards, "quality", { now: 0, violations: new Map(), allViolations: true });
    const row = buildOutline(picture, marks).find((one) => one.id === "orders")!;
    expect(row.label).toBe(
      "orders, dataset, 1 hop downstream, indirect, masked on every path, owner Team A, 3 of 4 checks failing, 11 more downstream",
    );
  });

  test("a folded row hides all that is below it, and no more", () => {
    const nodes = ["a", "b", "c", "d"].map((id) => makeNode(id, { start: id === "a" }));
    const chain = mergeAnswer(NOTHING, { nodes, edges: [makeEdge("a", "b"), makeEdge("b", "c"), makeEdge("a", "d")] });
    const rows = buildOutline(buildPicture(chain, view), new Map());
    const list = (...folded: string[]) => foldRows(rows, new Set(folded)).map((row) => row.id);
    expect(list()).toEqual(["a", "b", "c", "d"]);
    expect(list("b")).toEqual(["a", "b", "d"]);
    expect(list("a")).toEqual(["a"]);
    expect(list("d")).toEqual(["a", "b", "c", "d"]);
  });

  test("arrows follow the lines, and up and down reach every row", () => {
    const rows = buildOutline(picture, new Map());
    expect(findNeighbour(picture, rows, "focus", "ArrowRight")).toBe("orders");
    expect(findNeighbour(picture, rows, "orders", "ArrowLeft")).toBe("focus");
    expect(findNeighbour(picture, rows, "up", "ArrowLeft")).toBeNull();
    const walked = [rows[0]!.id];
    for (let next = findNeighbour(picture, rows, walked[0]!, "ArrowDown"); next; next = findNeighbour(picture, rows, next, "ArrowDown"))
      walked.push(next);
    expect(walked).toEqual(rows.map((row) => row.id));
    expect(findNeighbour(picture, rows, "up", "End")).toBe(rows.at(-1)!.id);
  });
});

describe("markCards", () => {
  test("each overlay has words and a tone", () => {
    const now = Date.parse("2026-11-22T00:00:00Z");
    const mark = (overlay: "owner" | "freshness" | "policy", more: Parameters<typeof makeNode>[1]) => {
      const one = buildPicture(mergeAnswer(NOTHING, { nodes: [makeNode("a", { start: true, ...more })], edges: [] }), FIRST_VIEW);
      const violations = new Map([["a", [{ fingerprint: "1", text: "pii-unmasked" }]]]);
      return markCards(one.cards, overlay, { now, violations, allViolations: true }).get("a");
    };
    expect(mark("owner", {})).toEqual({ label: "no owner", tone: "warn" });
    expect(mark("freshness", { lastObserved: "2026-11-20T00:00:00Z" })).toEqual({ label: "observed 2 days ago", tone: "warn" });
    expect(mark("freshness", {})).toEqual({ label: "never observed", tone: "none" });
    expect(mark("policy", {})).toEqual({ label: "broken: pii-unmasked", tone: "bad" });
  });

  test("a violation of a hidden column marks its dataset, and no card is called clean before all violations are read", () => {
    const one = buildPicture(mergeAnswer(NOTHING, { nodes: [makeNode("a", { start: true })], edges: [] }), FIRST_VIEW);
    const mark = (found: Parameters<typeof groupViolations>[0], allViolations: boolean) =>
      markCards(one.cards, "policy", { now: 0, violations: groupViolations(found), allViolations }).get("a");
    const violation = { fingerprint: "1", text: "pii-unmasked", asset: { id: "a.email", dataset: { id: "a" } } };
    expect(mark([violation], true)).toEqual({ label: "broken: pii-unmasked", tone: "bad" });
    expect(mark([violation], false)).toEqual({ label: "1 or more violations of policies", tone: "bad" });
    expect(mark([], true)).toEqual({ label: "no policy broken", tone: "good" });
    expect(mark([], false)).toEqual({ label: "not all violations are read", tone: "none" });
  });
});
