import { expect, test } from "vitest";
import { buildIntent, listStatements } from "./edit";

const ASSET = { id: "ds_1", kind: "DATASET", name: "orders", qualifiedName: "shop/orders" };

test("the confirmation names who changes what", () => {
  const owner = buildIntent(ASSET, "owner", { owner: " team-x ", type: "", by: "ana" }, null).sentence;
  for (const part of ["ana", "team-x", "dataset shop/orders", "technical"]) expect(owner).toContain(part);
  const tag = buildIntent(ASSET, "tag", { tag: "pii\u202e", by: "mallory" }, "token-name").sentence;
  expect(tag).toContain("token-name");
  expect(tag).not.toContain("mallory");
  expect(tag).toContain("U+202E");
  expect(buildIntent(ASSET, "description", { description: "x".repeat(5000), by: "ana" }, null).sentence.length).toBeLessThan(600);
});

test("an owner that no source knows is asked about", () => {
  const ask = (known: boolean) => buildIntent(ASSET, "owner", { owner: "tem-x", type: "", by: "ana" }, null, known).sentence;
  expect(ask(false)).toContain("No source knows an owner tem-x yet");
  expect(ask(true)).not.toContain("No source knows");
});

test("a use names the consumer, its purpose, and who is asked about if no source knows it", () => {
  const ask = (purpose: string, known: boolean) =>
    buildIntent(ASSET, "consumer", { consumer: " churn\u202e ", purpose, by: "ana" }, null, known).sentence;
  for (const part of ["ana", "uses the dataset shop/orders", "U+202E", "“to plan”"]) expect(ask(" to plan ", true)).toContain(part);
  expect(ask(" ", true)).not.toContain("purpose");
  expect(ask("", true)).not.toContain("No source knows");
  expect(ask("", false)).toContain("No source knows a consumer churn");
});

test("only what persons stated about exactly this asset can be retracted", () => {
  const owner = { __typename: "Owner" as const, id: "own_1", kind: "OWNER" as const, name: "team-x", qualifiedName: "team-x" };
  const use = { source: "person/cy", purpose: "to plan", consumer: { name: "churn" } };
  const found = listStatements({
    __typename: "Dataset",
    id: "ds_1",
    consumers: [
      { ...use, statement: "st_5", asset: { id: "ds_1" } },
      { ...use, statement: "st_6", asset: { id: "col_1" } },
      { ...use, source: "mesh/shop", statement: "st_7", asset: { id: "ds_1" } },
    ],
    owners: [
      { type: "technical", source: "person/ana", statement: "st_1", owner, inheritedFrom: null },
      { type: "technical", source: "person/ana", statement: "st_2", owner, inheritedFrom: { id: "dom_1" } },
      { type: "technical", source: "dbt/shop", statement: "st_3", owner, inheritedFrom: null },
    ],
    facts: [{ source: "person/bo", attribute: "tags", value: ["pii"], observedAt: "2026-01-01T00:00:00Z", statement: "st_4" }],
  });
  expect(found.map((one) => one.statement)).toEqual(["st_1", "st_4", "st_5"]);
  expect(found.at(-1)?.value).toBe("churn: to plan");
});
