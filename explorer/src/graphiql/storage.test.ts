import { beforeEach, expect, test } from "vitest";
import { dropHeaders, storage } from "./storage";

beforeEach(() => localStorage.clear());

test("no headers are stored", () => {
  const tab = { query: "{ a }", variables: '{"headers": 1}', headers: "a token" };
  storage.setItem("graphiql:tabState", JSON.stringify({ tabs: [tab], headers: "a token" }));
  storage.setItem("graphiql:queries", JSON.stringify({ queries: [tab] }));
  storage.setItem("graphiql:headers", "a token");
  expect(JSON.stringify({ ...localStorage })).not.toContain("a token");
  expect(JSON.parse(storage.getItem("graphiql:queries") ?? "")).toEqual({ queries: [{ query: "{ a }", variables: '{"headers": 1}' }] });
});

test("text stays as it is", () => {
  for (const text of ["{ headers }", "", "light", "0.5", "true"]) expect(dropHeaders(text)).toBe(text);
});

test("what others have stored stays", () => {
  localStorage.setItem("theme", "dark");
  storage.setItem("graphiql:a", "1");
  expect(storage.length).toBe(1);
  storage.clear();
  expect({ ...localStorage }).toEqual({ theme: "dark" });
});
