import { describe, expect, test, vi } from "vitest";
import { joinItems, readPlace } from "../completeness";
import { listActions } from "./actions";
import { readState, writeState } from "./address";
import { buildPicture, FIRST_VIEW, mergeAnswer, NOTHING } from "./model";
import { listLosses, listNotes } from "./notes";
import { makeEdge, makeNode } from "./samples";

const columns = Array.from({ length: 20 }, (_, i) =>
  makeNode(`orders.c${i}`, { name: i < 3 ? `Email_${i}` : `c${i}`, kind: "COLUMN", parent: { id: "orders", name: "orders" }, position: i }),
);
const known = mergeAnswer(NOTHING, {
  nodes: [makeNode("orders", { start: true, columns: 31 }), makeNode("sales"), ...columns],
  edges: [makeEdge("orders", "sales"), makeEdge("orders.c5", "orders.c6")],
});
const view = { ...FIRST_VIEW, columns: new Set(["orders"]) };
const cardOf = (filter: string, pin: string | null = null) =>
  buildPicture(known, { ...view, filters: new Map([["orders", filter]]) }, pin).cards[0]!;

type Item = Parameters<typeof joinItems>[0][number]["assets"][number];

describe("the filter of a wide card", () => {
  test("narrows the columns by a part of their names, in any case, and counts what it leaves out", () => {
    expect(buildPicture(known, view).cards[0]).toMatchObject({ allRows: 20, moreRows: 11 });
    const card = cardOf("email");
    expect(card.rows.map((row) => row.name)).toEqual(["Email_0", "Email_1", "Email_2"]);
    expect([card.allRows, card.moreRows]).toEqual([20, 28]);
    expect(cardOf("no such column").rows).toEqual([]);
  });

  test("a pinned column stays", () => {
    expect(cardOf("email", "orders.c7").rows.map((row) => row.id)).toEqual(["orders.c0", "orders.c1", "orders.c2", "orders.c7"]);
  });

  test("is in the address, whatever characters the id and the text have", () => {
    const first = readState(new URLSearchParams());
    const filters = new Map([
      ["ds:1,%", "a:b,c%3A"],
      ["ds_2", " "],
    ]);
    const written = writeState(new URLSearchParams(), { ...first, view: { ...first.view, filters } });
    expect(readState(new URLSearchParams(written.toString())).view.filters).toEqual(filters);
    expect(readState(new URLSearchParams("columns=nothing")).refused).toEqual(["columns"]);
  });
});

describe("listActions", () => {
  const acts = { onHop: vi.fn(), onColumns: vi.fn(), onPin: vi.fn(), onGroup: vi.fn(), onWords: vi.fn() };
  const state = readState(new URLSearchParams("pin=orders.c1"));
  const card = buildPicture(known, view).cards[0]!;

  test("a dataset has its hops, columns, pin and pages; a column can be changed, too", () => {
    const labels = (row?: number) => listActions(card, row === undefined ? undefined : card.rows[row], state, acts).map((one) => one.label);
    expect(labels()).toEqual([
      "Close upstream",
      "Close downstream",
      "Columns (31)",
      "Pin",
      "Who is affected",
      "Lineage of this",
      "Its page",
    ]);
    expect(labels(0)).toEqual(expect.arrayContaining(["Drop it: what breaks", "Rename it …", "Retype it …"]));
    expect(listActions(card, card.rows[1], state, acts).find((one) => one.label === "Pin")?.pressed).toBe(true);
  });

  test("a drop is a whole change, a new name is for the reader to write", () => {
    const actions = listActions(card, card.rows[0], state, acts);
    for (const label of ["Drop it: what breaks", "Rename it …"]) actions.find((one) => one.label === label)!.run!();
    expect(acts.onWords.mock.calls).toEqual([
      ["drop orders.Email_0", true],
      ["rename orders.Email_0 to ", false],
    ]);
  });

  test("a closed group can only be opened", () => {
    const grouped = mergeAnswer(NOTHING, { nodes: [makeNode("a", { start: true, domain: { id: "d", name: "Sales" } })], edges: [] });
    const box = buildPicture(grouped, { ...FIRST_VIEW, grouping: "domain", closed: new Set(["d"]) }).cards[0]!;
    const [only, ...rest] = listActions(box, undefined, state, acts);
    expect([only!.label, rest]).toEqual(["Open the group", []]);
    only!.run!();
    expect(acts.onGroup).toHaveBeenCalledWith("d");
  });
});

describe("what is not known", () => {
  const asset = (id: string) => ({ __typename: "Dataset", id, kind: "DATASET" as const, name: id, qualifiedName: id });
  const flow = (from: string, to: string) => ({
    ...{ from: asset(from), to: asset(to), type: null, subtype: "", source: null, lastObserved: null, job: null },
  });

  const pageInfo = (endCursor: string | null) => ({ hasNextPage: endCursor !== null, endCursor });

  test("several answers list each asset and flow once, and count what they do not list", () => {
    const joined = joinItems(
      [
        { totalCount: 2, assets: [asset("a")], flows: [flow("a", "b")], pageInfo: pageInfo(null) },
        { totalCount: 7, assets: [asset("a"), asset("c")], flows: [flow("a", "b"), flow("b", "a")], pageInfo: pageInfo("x") },
      ],
      readPlace(null, 2),
    );
    expect(joined.assets.map((one) => one.id)).toEqual(["a", "c"]);
    expect(joined.flows).toHaveLength(2);
    expect(joined.totalCount).toBe(4 + 3);
  });

  test("the next page asks the answers that go on, and counts as many as the page before", () => {
    const [first, second, third] = ["a", "b", "c"].map((id) => asset(id)) as [Item, Item, Item];
    const begin = joinItems(
      [
        { totalCount: 2, assets: [first, second], flows: [], pageInfo: pageInfo(null) },
        { totalCount: 3, assets: [first, third], flows: [], pageInfo: pageInfo("after c") },
      ],
      readPlace(null, 2),
    );
    const place = readPlace(begin.pageInfo.endCursor, 2);
    expect(place.at).toEqual([[1, "after c"]]);
    const end = joinItems([{ totalCount: 3, assets: [asset("d")], flows: [], pageInfo: pageInfo(null) }], place);
    expect([begin.nodes.length, end.nodes.length]).toEqual([3, 1]);
    expect([begin.totalCount, end.totalCount]).toEqual([4, 4]);
    expect([begin.pageInfo.hasNextPage, end.pageInfo.hasNextPage]).toEqual([true, false]);
  });

  test("an answer that is cut off names how many there are", () => {
    const losses = listLosses(
      [
        { side: "down", shown: 1000, total: 3214 },
        { side: "up", shown: 5, total: null },
      ],
      null,
    );
    const notes = listNotes(buildPicture(known, view), view, view, 0, losses);
    expect(notes.slice(0, 2).map((note) => note.short)).toEqual(["1,000 of 3,214 downstream loaded", "5 of more upstream loaded"]);
  });
});
