import { describe, expect, test } from "vitest";
import { showName } from "../names";
import { buildJson, buildLineTable, buildMermaid, buildSvg, buildTable, escapeMermaid, escapeXml } from "./exports";
import { computeLayout } from "./layout";
import { buildPicture, FIRST_VIEW, mergeAnswer, NOTHING } from "./model";
import { buildOutline } from "./outline";
import { LIGHT } from "./palette";
import { makeEdge, makeNode } from "./samples";
import { buildScene, listBoxes } from "./scene";

const HOSTILE = [
  `"><script>alert(1)</script>`,
  `]]></text><svg onload=alert(1)>`,
  '=HYPERLINK("http://evil")',
  "a\u202eb\u200bc\u0000d\ufffe",
  '"]; click n0 "javascript:alert(1)"; %%',
  "x".repeat(10_000),
  "line\nbreak\r\n-->|pwned| z",
];

const nodes = HOSTILE.map((name, i) =>
  makeNode(`n${i}`, {
    ...{ name, qualifiedName: name, start: i === 0, masked: true },
    ...{ owners: [{ id: "o", name }], domain: { id: name, name }, product: { id: name, name } },
  }),
);
const known = mergeAnswer(NOTHING, {
  nodes,
  edges: HOSTILE.slice(1).map((_, i) => makeEdge("n0", `n${i + 1}`, { masking: true, stale: true })),
});
const picture = buildPicture(known, { ...FIRST_VIEW, grouping: "domain" });
const { boxes, links } = listBoxes(picture, true);
const scene = buildScene(picture, computeLayout(boxes, links), true);
const caption = { title: `Lineage of ${HOSTILE[0]}`, lines: HOSTILE };

describe("exports of hostile names", () => {
  test("SVG is well-formed, with names as text alone", () => {
    const svg = buildSvg(scene, caption, LIGHT);
    const document = new DOMParser().parseFromString(svg, "image/svg+xml");
    expect(document.querySelector("parsererror")).toBeNull();
    const names = new Set([...svg.matchAll(/<\/?([a-zA-Z]+)/g)].map((match) => match[1]));
    expect([...names].sort()).toEqual(["g", "path", "rect", "svg", "text", "title"]);
    const attributes = [...document.querySelectorAll("*")].flatMap((element) => element.getAttributeNames());
    expect(attributes.filter((name) => /^on|href/i.test(name))).toEqual([]);
    expect(showName(svg.replaceAll("\n", ""))).toBe(svg.replaceAll("\n", ""));
    expect(svg.match(/<text[^>]*fill/g)!.length).toBeGreaterThan(HOSTILE.length);
  });

  test("XML escapes: markup, controls, lone surrogates", () => {
    expect(escapeXml(`<a href="x">'&`)).toBe("&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    expect(escapeXml("\u0000\ud800x")).toBe("⟨U+0000⟩⟨U+D800⟩x");
  });

  test("mermaid has one line for each node and edge, and nothing else", () => {
    const lines = buildMermaid(scene, caption).trimEnd().split("\n");
    expect(lines.filter((line) => line.startsWith("%%"))).toHaveLength(HOSTILE.length + 1);
    const rest = lines.filter((line) => !line.startsWith("%%"));
    expect(rest[0]).toBe("flowchart LR");
    for (const line of rest.slice(1)) expect(line).toMatch(/^ {2}n\d+(\["[^"<>`\][{}|\\]*"\]| (-->|-\.->)(\|"[a-z, ]+"\|)? n\d+)$/);
    expect(rest).toHaveLength(1 + HOSTILE.length + HOSTILE.length - 1);
    expect(escapeMermaid('#"`')).toBe("#35;#34;#96;");
  });

  test("CSV runs no formula and keeps its columns", () => {
    const csv = buildTable(scene, caption);
    const formulas = `${csv}${buildLineTable(scene, caption)}`
      .split(/\r\n/)
      .flatMap((line) => line.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/))
      .filter((field) => /^"?[=+@\t]/.test(field));
    expect(formulas).toEqual([]);
    expect(csv).toContain("more downstream");
    const lines = buildLineTable(scene, { title: "", lines: [] }).split(/\r\n/);
    expect(lines.filter((line) => line.includes("n0,"))).toHaveLength(HOSTILE.length - 1);
  });

  test("JSON can be read again", () => {
    const content = JSON.parse(buildJson(scene, caption, "http://localhost/lineage?of=n0")) as {
      nodes: { name: string }[];
      edges: unknown[];
    };
    expect(new Set(content.nodes.map((node) => node.name))).toEqual(new Set(HOSTILE));
    expect(content.edges).toHaveLength(HOSTILE.length - 1);
  });

  test("the tree says names without hidden characters", () => {
    for (const row of buildOutline(picture, new Map())) expect(showName(row.label)).toBe(row.label);
  });
});
