import { describe, expect, test } from "vitest";
import type { DrawnEnd } from "../queries/picture";
import { collectVerdicts, markChanges, markVerdicts, NO_CHANGES, readChanges } from "./changes";
import { buildPicture, FIRST_VIEW, mergeAnswer, NOTHING } from "./model";
import { makeEdge, makeNode } from "./samples";
import { describeLine } from "./strokes";

const dataset = (id: string): DrawnEnd => ({ __typename: "Dataset", id });
const column = (id: string, of: string): DrawnEnd => ({ __typename: "Column", id, dataset: { id: of } });
const picture = buildPicture(
  mergeAnswer(NOTHING, {
    nodes: [makeNode("a", { start: true }), makeNode("b"), makeNode("c"), makeNode("d")],
    edges: [makeEdge("a", "b"), makeEdge("a", "c"), makeEdge("a", "d")],
  }),
  FIRST_VIEW,
);

describe("markChanges", () => {
  const changes = readChanges({
    lineageDiff: {
      ...{ totalAdded: 7, totalRemoved: 3 },
      added: [
        { from: column("a.x", "a"), to: column("b.x", "b") },
        { from: column("a.y", "a"), to: column("c.y", "c") },
        { from: dataset("far"), to: dataset("away") },
      ],
      removed: [
        { from: column("a.z", "a"), to: column("c.z", "c") },
        { from: dataset("b"), to: dataset("c") },
        { from: null, to: dataset("c") },
      ],
    },
  });
  const marked = markChanges(picture, changes);
  const lineOf = (from: string, to: string) =>
    marked.picture.lines.find((line) => picture.cards[line.from]!.id === from && picture.cards[line.to]!.id === to)!;

  test("says of each line what became of it, with a sign", () => {
    expect(lineOf("a", "b").change).toBe("added");
    expect(lineOf("a", "c").change).toBe("both");
    expect(describeLine(lineOf("a", "b"))).toContain("+");
    expect(describeLine(lineOf("a", "c"))).toContain("±");
  });

  test("thins out what is unchanged, and draws what is gone", () => {
    expect(lineOf("a", "d")).toMatchObject({ faint: true });
    expect(lineOf("a", "d").change).toBeUndefined();
    expect(lineOf("b", "c").change).toBe("removed");
    expect(describeLine(lineOf("b", "c"))).toContain("− gone");
    expect(marked.picture.lines).toHaveLength(4);
  });

  test("counts what is not in the picture: far flows, ends that are gone, and what was not sent", () => {
    expect(marked.beyond).toBe(1 + 1 + 4);
  });

  test("changes nothing if nothing is compared", () => {
    expect(markChanges(picture, NO_CHANGES).picture).toBe(picture);
  });
});

test("a verdict marks the way to its hit, the worst one counts, and what is on no way is not called safe", () => {
  const hit = (verdict: "BREAKING" | "CONDITIONAL" | "COMPATIBLE", ...ends: DrawnEnd[]) => ({
    verdict,
    path: ends.map((asset) => ({ asset })),
  });
  const worst = collectVerdicts({
    blastRadius: {
      verdict: "BREAKING",
      findings: [
        {
          verdict: "BREAKING",
          hits: [hit("CONDITIONAL", column("a.x", "a"), column("b.x", "b")), hit("BREAKING", column("a.x", "a"), dataset("c"))],
        },
        { verdict: "COMPATIBLE", hits: [hit("COMPATIBLE", column("a.x", "a"))] },
      ],
    },
  });
  const marks = markVerdicts(picture.cards, worst);
  expect(["a", "b", "c", "d"].map((id) => marks.get(id)!.tone)).toEqual(["bad", "warn", "bad", "none"]);
  expect(marks.get("d")!.label).not.toContain("SAFE");
  expect(marks.get("b")!.label).toContain("WARN");
});
