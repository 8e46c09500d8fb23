import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setToken } from "./client";
import { findAssets, putExactFirst } from "./combobox";

const asset = (qualifiedName: string, kind = "COLUMN") => ({
  id: qualifiedName,
  kind,
  name: qualifiedName.split(".").at(-1) ?? "",
  qualifiedName,
});
const HASH = asset("lake/customers.profiles.email_hash");
const EMAIL = asset("lake/customers.customers.email");
const TABLE = asset("lake/customers.email", "DATASET");
const asked: string[] = [];
let answers: Record<string, unknown> = {};

beforeEach(() => {
  asked.length = 0;
  setToken(null); // also empties the cache
  vi.stubGlobal("fetch", async (_: string, request: { body: string }) => {
    const { operationName } = JSON.parse(request.body);
    asked.push(operationName);
    return { status: 200, json: async () => ({ data: answers[operationName] }) };
  });
});
afterEach(() => vi.unstubAllGlobals());

const find = (text: string, kinds: ["COLUMN"] | null = null, asOf: string | null = null) =>
  findAssets(text, kinds, asOf, new AbortController().signal);

test("what the text names to the end comes first", () => {
  expect(putExactFirst([HASH, EMAIL, TABLE], "Customers.Email")).toEqual([EMAIL, TABLE, HASH]);
  expect(putExactFirst([HASH, EMAIL], "customers.em")).toEqual([HASH, EMAIL]);
});

test("names that are typed are only suggested, of the kinds that are wanted", async () => {
  answers = { Suggest: { suggest: [HASH, TABLE, EMAIL] } };
  expect(await find("customers.email", ["COLUMN"])).toEqual([EMAIL, HASH]);
  expect(asked).toEqual(["Suggest"]);
});

test("without a suggestion all words are searched, as for a time of the past", async () => {
  answers = { Suggest: { suggest: [] }, FirstFound: { search: { nodes: [TABLE] } } };
  expect(await find("mail addresses")).toEqual([TABLE]);
  expect(await find("email", null, "2026-01-01T00:00:00.000Z")).toEqual([TABLE]);
  expect(asked).toEqual(["Suggest", "FirstFound", "FirstFound"]);
});

test("an id is resolved", async () => {
  answers = { Resolve: { resolve: EMAIL } };
  expect(await find(`col_${"0123456789abcdef".repeat(2)}`)).toEqual([EMAIL]);
  expect(asked).toEqual(["Resolve"]);
});
