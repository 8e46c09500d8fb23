import { describe, expect, it } from "vitest";
import { buildCommand, listChangedOwners } from "./change";

const SERVER = "https://mesh.example.com";
const EMPTY = { before: "", after: "", dataset: "", dialect: "" };

describe("the command that asks the same as the page", () => {
  it("has one argument for each line of words, quoted for the shell", () => {
    const texts = { ...EMPTY, after: "drop a.b.c\n\n rename a.b.d to it's \n" };
    expect(buildCommand("words", texts, "STRICT", "MESH", SERVER)).toBe(
      `meshline check change 'drop a.b.c' 'rename a.b.d to it'\\''s' --server ${SERVER}`,
    );
  });

  it("names mode and profile only where they are not the usual ones", () => {
    expect(buildCommand("words", { ...EMPTY, after: "drop x" }, "USAGE", "FULL", SERVER)).toBe(
      `meshline check change 'drop x' --mode usage --profile full --server ${SERVER}`,
    );
  });

  it("has files instead of texts: one if it is compared with the graph", () => {
    expect(buildCommand("contract", { ...EMPTY, after: "x" }, "STRICT", "MESH", SERVER)).toBe(
      `meshline check contract new-contract.yaml --server ${SERVER}`,
    );
    expect(buildCommand("schema", { ...EMPTY, before: "a", after: "b", dataset: "shop.orders" }, "STRICT", "MESH", SERVER)).toBe(
      `meshline check schema old-schema.json new-schema.json --dataset shop.orders --server ${SERVER}`,
    );
    expect(buildCommand("ddl", { ...EMPTY, after: "DROP TABLE x", dialect: "trino" }, "STRICT", "MESH", SERVER)).toBe(
      `meshline check ddl changes.sql --dialect trino --server ${SERVER}`,
    );
  });
});

describe("the recipients that own what is changed", () => {
  it("are the owners of the findings that are notified as owners", () => {
    const [one, two, other] = ["one", "two", "other"].map((id) => ({ id, kind: "OWNER", name: id, qualifiedName: id }));
    if (!one || !two || !other) throw new Error();
    const notify = [
      { reason: "OWNS", recipient: one },
      { reason: "CONSUMES", recipient: two },
      { reason: "OWNS", recipient: other },
      { reason: "CONSUMES", recipient: null },
    ];
    expect(listChangedOwners({ findings: [{ owners: [one] }, { owners: [one, two] }], notify })).toEqual([one]);
  });
});
