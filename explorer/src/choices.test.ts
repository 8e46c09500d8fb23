import { afterEach, expect, test, vi } from "vitest";
import { fetchAll } from "./choices";
import { OwnerChoices } from "./queries/choices";

const OWNERS = Array.from({ length: 2500 }, (_, index) => ({ id: `own_${index}`, name: `team-${index}` }));

afterEach(() => vi.unstubAllGlobals());

function serveOwners(): void {
  vi.stubGlobal("fetch", async (_: string, request: { body: string }) => {
    const { first, after } = JSON.parse(request.body).variables as { first: number; after: string | null };
    const start = after === null ? 0 : Number(after);
    const end = Math.min(OWNERS.length, start + first);
    const pageInfo = { hasNextPage: end < OWNERS.length, endCursor: String(end) };
    return {
      status: 200,
      json: async () => ({ data: { list: { totalCount: OWNERS.length, nodes: OWNERS.slice(start, end), pageInfo } } }),
    };
  });
}

test("choices are all entries of a list, page by page", async () => {
  serveOwners();
  const { nodes, left } = await fetchAll(OwnerChoices, null, new AbortController().signal);
  expect(nodes).toEqual(OWNERS);
  expect(left).toBe(0);
});

test("what a list of choice leaves out is counted", async () => {
  serveOwners();
  const { nodes, left } = await fetchAll(OwnerChoices, "2026-01-01T00:00:00.000Z", new AbortController().signal, 1500);
  expect(nodes.length + left).toBe(OWNERS.length);
  expect(left).toBe(500);
});
