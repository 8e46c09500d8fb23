import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CompactPictureUsersAnswer } from "../queries/picture";
import { readState, writeState } from "./address";
import { buildCaption } from "./export_menu";
import { buildMermaid, buildSvg } from "./exports";
import { computeLayout } from "./layout";
import { buildPicture, FIRST_VIEW, findCards, mergeAnswer, NOTHING, type Picture, REACHES } from "./model";
import { listLosses, listNotes } from "./notes";
import { buildOutline } from "./outline";
import { LIGHT } from "./palette";
import { makeEdge, makeNode } from "./samples";
import { buildScene, listBoxes } from "./scene";
import { addUsers, findUsersGap, lightUsers, readUsers, type User, type Users } from "./users";

const job = { id: "job", name: "nightly" };
const known = mergeAnswer(NOTHING, {
  nodes: [makeNode("a", { start: true }), makeNode("b"), makeNode("c"), makeNode("x")],
  edges: [makeEdge("a", "b", { jobs: [job], reach: "INDIRECT" }), makeEdge("a", "c", { jobs: [job], masking: true }), makeEdge("a", "x")],
});
const view = FIRST_VIEW;
const plain = buildPicture(known, view);
const user = (id: string, kind: string, reads: string[], writes: string[]): User => ({
  node: makeNode(id, { kind, name: id === "job" ? "nightly" : id, owners: [{ id: "o", name: "Team A" }] }),
  ...{ reads: new Set(reads), writes: new Set(writes) },
});
const nightly = user("job", "JOB", ["a"], ["b", "c"]);
const board = user("board", "CONSUMER", ["c"], []);
const among = (...list: User[]): Users => ({ list, jobs: new Map() });
const picture = addUsers(plain, among(nightly, board), view);
const list = ({ lines, cards }: Picture) => lines.map((line) => `${cards[line.from]!.id} ${cards[line.to]!.id}`).sort();

describe("jobs and consumers in the picture", () => {
  test("a line that a job explains leads through it; others stay", () => {
    expect(list(picture)).toEqual(["a job", "a x", "c board", "job b", "job c"]);
    expect(picture.lines.find((line) => line.id === "job b")).toMatchObject({ reach: "INDIRECT", masking: false });
    expect(picture.lines.find((line) => line.id === "job c")).toMatchObject({ reach: "DIRECT", masking: true });
    expect(picture.lines.find((line) => line.id === "a job")).toMatchObject({ reach: "DIRECT", masking: false });
    expect(picture.shown).toBe(plain.shown);
  });

  test("a job that does not write each from each leaves the lines of its flows", () => {
    const two = mergeAnswer(NOTHING, {
      nodes: ["a", "b", "c", "d"].map((id) => makeNode(id, { start: id === "a" || id === "b" })),
      edges: [makeEdge("a", "c", { jobs: [job] }), makeEdge("b", "d", { jobs: [job] })],
    });
    const drawn = addUsers(buildPicture(two, view), among(user("job", "JOB", ["a", "b"], ["c", "d"])), view);
    expect(list(drawn)).toEqual(["a c", "a job", "b d", "b job", "job c", "job d"]);
  });

  test("no flow of a picture gets lost, and none is claimed between others when lines are replaced", () => {
    const names = ["a", "b", "c", "d", "e"];
    const pair = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names), fc.constantFrom("j1", "j2", ""));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 10 }), (pairs) => {
        const flows = new Map(pairs.filter(([from, to]) => from !== to).map((one) => [`${one[0]} ${one[1]}`, one]));
        const mesh = mergeAnswer(NOTHING, {
          nodes: names.map((id) => makeNode(id, { start: true })),
          edges: [...flows.values()].map(([from, to, id]) => makeEdge(from, to, { jobs: id ? [{ id, name: id }] : [] })),
        });
        const users = ["j1", "j2"].map((id) => {
          const own = [...flows.values()].filter((one) => one[2] === id);
          return user(
            id,
            "JOB",
            own.map(([from]) => from),
            own.map(([, to]) => to),
          );
        });
        const lines = new Set(list(addUsers(buildPicture(mesh, view), among(...users), view)));
        for (const [name, [from, to, id]] of flows)
          expect(lines.has(name) || (lines.has(`${from} ${id}`) && lines.has(`${id} ${to}`))).toBe(true);
        for (const id of ["j1", "j2"]) {
          const own = [...flows.values()].filter((one) => one[2] === id);
          if (own.length === 0 || own.some(([from, to]) => lines.has(`${from} ${to}`))) continue;
          for (const [from] of own) for (const [, to] of own) expect(flows.get(`${from} ${to}`)?.[2]).toBe(id);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("compact answers draw the same boxes and lines as full ones", () => {
    const names = ["a", "b", "c", "d"];
    const one = fc.constantFrom(...names);
    const jobs = fc.subarray(["j1", "j2"]);
    const bits = fc.constantFrom(...REACHES);
    fc.assert(
      fc.property(fc.array(fc.tuple(one, one, jobs, bits), { maxLength: 8 }), fc.subarray(names), (tuples, used) => {
        const flows = [...new Map(tuples.filter(([from, to]) => from !== to).map((tuple) => [`${tuple[0]} ${tuple[1]}`, tuple])).values()];
        const nodes = names.map((id) => makeNode(id, { start: true }));
        const full = mergeAnswer(NOTHING, {
          nodes,
          edges: flows.map(([from, to, ids, reach]) => makeEdge(from, to, { reach, jobs: ids.map((id) => ({ id, name: id })) })),
        });
        const brief = mergeAnswer(NOTHING, {
          nodes,
          edges: flows.map(([from, to, , reach]) => makeEdge(from, to, { reach, brief: true })),
        });
        const ids = ["j1", "j2"].filter((id) => flows.some((flow) => flow[2].includes(id)));
        const own = (id: string, end: 0 | 1) => [...new Set(flows.filter((flow) => flow[2].includes(id)).map((flow) => flow[end]))];
        const list = ids.map((id) => user(id, "JOB", own(id, 0), own(id, 1)));
        if (used.length > 0) list.push(user("board", "CONSUMER", used, []));
        const pair = (rows: [number, number][]) => ({ user: rows.map(([at]) => at), node: rows.map(([, place]) => place) });
        const place = (end: 0 | 1) => pair(ids.flatMap((id, i) => own(id, end).map((name): [number, number] => [i, names.indexOf(name)])));
        const answer: CompactPictureUsersAnswer = {
          lineage: {
            ids: names,
            edges: { from: flows.map(([from]) => names.indexOf(from)), to: flows.map(([, to]) => names.indexOf(to)) },
            users: {
              ...{ ids: list.map(({ node }) => node.id), names: list.map(({ node }) => node.name) },
              ...{ kinds: list.map(({ node }) => node.kind as "JOB"), qualifiedNames: list.map(({ node }) => node.id) },
              ...{ reads: place(0), writes: place(1), uses: pair(used.map((name) => [list.length - 1, names.indexOf(name)])) },
              carries: pair(
                ids.flatMap((id, i) => flows.flatMap((flow, at): [number, number][] => (flow[2].includes(id) ? [[i, at]] : []))),
              ),
            },
            completeness: { truncated: "NONE" },
          },
        };
        const draw = ({ cards, lines }: Picture) => [
          cards.map(({ id, hop }) => [id, hop]),
          lines.map(({ id, from, to, reach, masking, faint }) => ({ id, from, to, reach, masking, faint })),
        ];
        const expected = draw(addUsers(buildPicture(full, view), among(...list), view));
        expect(draw(addUsers(buildPicture(brief, view), readUsers([], [answer]), view))).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  test("what has no end in the picture is not drawn, nor is what happens within a closed group", () => {
    expect(addUsers(plain, among(user("far", "JOB", ["a"], ["elsewhere"]), user("none", "CONSUMER", ["q"], [])), view).cards).toHaveLength(
      4,
    );
    const nodes = ["a", "b"].map((id) => makeNode(id, { start: true, domain: { id: "d", name: "Sales" } }));
    const closed = buildPicture(mergeAnswer(NOTHING, { nodes, edges: [makeEdge("a", "b", { jobs: [job] })] }), {
      ...{ ...view, grouping: "domain" as const, closed: new Set(["d"]) },
    });
    expect(addUsers(closed, among(user("job", "JOB", ["a"], ["b"])), view).cards).toHaveLength(1);
  });

  test("the tree, the search and the address have them", () => {
    const rows = buildOutline(picture, new Map());
    expect(rows.find((row) => row.id === "job")).toMatchObject({ label: "nightly, job, owner Team A", level: 2 });
    expect(rows.find((row) => row.id === "board")?.label).toBe("board, consumer, owner Team A");
    expect(findCards(picture, "NIGHT")).toEqual(["job"]);
    const state = readState(new URLSearchParams("with=consumer,job"));
    expect([...state.users].sort()).toEqual(["CONSUMER", "JOB"]);
    expect(writeState(new URLSearchParams(), state).get("with")).toBe("job,consumer");
    expect(readState(new URLSearchParams("with=robots")).refused).toEqual(["with"]);
  });

  test("they light up with what they carry, and alone with all that they lead to", () => {
    expect([...lightUsers(picture, new Set(["a", "c"]), "a")].sort()).toEqual(["a", "board", "c", "job"]);
    expect(lightUsers(picture, new Set(["x"]), "x").has("job")).toBe(false);
    expect([...lightUsers(picture, new Set(["job"]), "job")].sort()).toEqual(["a", "b", "board", "c", "job"]);
  });

  test("files give them shapes of their own", () => {
    const { boxes, links } = listBoxes(picture, false);
    const scene = buildScene(picture, computeLayout(boxes, links), false);
    const caption = { title: "t", lines: [] };
    const mermaid = buildMermaid(scene, caption);
    expect([mermaid.includes('(["nightly"])'), mermaid.includes('>"board"]'), mermaid.includes('["a"]')]).toEqual([true, true, true]);
    const svg = buildSvg(scene, caption, LIGHT);
    expect(svg.match(/rx="26"/g)).toHaveLength(1);
    expect(svg).toMatch(/<path d="M[-\d. ]+z" fill/);
  });

  test("answers are joined", () => {
    const asset = {
      __typename: "Job",
      id: "j",
      kind: "JOB" as const,
      name: "j",
      qualifiedName: "j",
      domain: null,
      product: null,
      owners: [],
    };
    const part = (reads: string[], writes: string[]) => ({
      lineage: { jobs: [{ job: asset, reads, writes }], consumers: [], completeness: { truncated: "NONE" as const } },
    });
    const {
      list: [only, ...rest],
    } = readUsers([part(["a"], ["b"]), part(["a", "c"], [])] as unknown as Parameters<typeof readUsers>[0]);
    expect([[...only!.reads], [...only!.writes], rest]).toEqual([["a", "c"], ["b"], []]);
  });

  test("an answer that is too large or ended by time is named in the line and in the files", () => {
    const cut = (...truncated: ("NONE" | "DEPTH" | "TIME" | "NODES")[]) =>
      findUsersGap(truncated.map((one) => ({ lineage: { jobs: [], consumers: [], completeness: { truncated: one } } })));
    expect([cut("NONE", "DEPTH"), cut("NONE", "TIME"), cut("TIME", "NODES"), cut()]).toEqual([null, "TIME", "NODES", null]);
    expect(listNotes(plain, view, view, 0, listLosses([], "NODES"))[0]!.short).toBe("jobs and consumers not drawn");
    const losses = listLosses([{ side: "down", shown: 10_000, total: 12_345 }], "TIME");
    expect(listNotes(plain, view, view, 0, losses)[0]!.short).toBe("not all jobs and consumers drawn");
    const { boxes, links } = listBoxes(plain, false);
    const scene = buildScene(plain, computeLayout(boxes, links), false);
    const lastLine = (gaps: typeof losses) => buildCaption(scene, readState(new URLSearchParams()), null, gaps).lines.at(-1);
    expect(lastLine([])).toBe("4 of 4 known nodes. Complete");
    expect(lastLine(losses)).toBe(
      "4 of 4 known nodes. Not complete: not all jobs and consumers drawn and 10,000 of 12,345 downstream loaded",
    );
  });
});
