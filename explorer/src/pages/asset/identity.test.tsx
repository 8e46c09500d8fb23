import { act } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, expect, test, vi } from "vitest";
import { setToken } from "../../client";
import { IdentityTab } from "./identity";

afterEach(() => vi.unstubAllGlobals());

const name = (text: string) => ({ id: `ds_${text}`, namespace: "wh", name: text });
const REASON = { start: name("a"), end: name("b"), type: "SAME_AS", why: "one feed", rule: null, since: "2026-01-01T00:00:00Z" };
const IDENTITY = {
  shown: name("a"),
  members: ["a", "b"].map((one) => ({ name: name(one), rank: "NAME", source: null, shown: one === "a", past: false })),
  reasons: [
    { ...REASON, source: "person/ana", statement: "st_1", overruled: false },
    { ...REASON, source: "openlineage/x", statement: "st_2", overruled: false },
  ],
  partings: [],
  mergedColumns: [],
};

/** The tab as a caller with this role sees it, at this address. */
async function show(role: string, address: string): Promise<HTMLElement> {
  setToken(null); // also empties the cache
  window.history.replaceState(null, "", address);
  const answer = { about: { actor: null, role }, node: { __typename: "Dataset", id: "ds_a", identity: IDENTITY } };
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ data: answer })));
  const box = document.createElement("div");
  await act(async () => createRoot(box).render(<IdentityTab id="ds_a" />));
  await vi.waitFor(
    async () => {
      await act(async () => new Promise((resolve) => setTimeout(resolve, 5)));
      expect(box.textContent).toContain("wh/b");
    },
    { timeout: 60_000 },
  );
  return box;
}

const countButtons = (box: HTMLElement, label: string): number =>
  [...box.querySelectorAll("button")].filter((one) => one.textContent === label).length;

test("who may state something by hand can do so, and retract what persons stated", async () => {
  const box = await show("ADMIN", "/a/ds_a");
  expect(box.querySelectorAll("form")).toHaveLength(1);
  expect(countButtons(box, "Retract")).toBe(1);
});

test.each([
  ["READER", "/a/ds_a"],
  ["WRITER", "/a/ds_a"],
  ["ADMIN", "/a/ds_a?asOf=2026-02-01T00%3A00%3A00Z"],
])("nothing can be changed by %s at %s", async (role, address) => {
  const box = await show(role, address);
  expect(box.querySelectorAll("form")).toHaveLength(0);
  expect(countButtons(box, "Retract")).toBe(0);
});
