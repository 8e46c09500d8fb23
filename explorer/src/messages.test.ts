import { describe, expect, it, vi } from "vitest";
import { count, formatAgo, formatRatio, formatSeconds, listGaps } from "./messages";

const NONE = {
  truncated: "NONE",
  possibleOnly: 0,
  undescribed: 0,
  staleEdges: 0,
  provisional: 0,
  unbound: 0,
  silentOnFilters: 0,
  silentProducers: [],
  asOf: null,
  knownLater: [],
  hidden: [],
};

describe("messages", () => {
  it("make the formats of times when one is used, once: the page would start later", async () => {
    vi.resetModules();
    let made = 0;
    class Counting extends Intl.DateTimeFormat {
      constructor(...given: ConstructorParameters<typeof Intl.DateTimeFormat>) {
        super(...given);
        made++;
      }
    }
    vi.stubGlobal("Intl", Object.assign(Object.create(Intl), { DateTimeFormat: Counting }));
    const fresh = await import("./messages");
    expect(made).toBe(0);
    expect(fresh.formatTime("2026-03-08T02:02:00Z")).toBe(fresh.formatTime("2026-03-08T02:02:59Z"));
    expect(made).toBe(1);
    vi.unstubAllGlobals();
  });

  it("count in words", () => {
    expect(count(1, "pair", "pairs")).toBe("1 pair");
    expect(count(1200, "pair", "pairs")).toBe("1,200 pairs");
    expect(formatRatio(0, 0)).toBe("–");
    expect(formatSeconds(7200)).toBe("2 hours");
    expect(formatAgo("2026-03-07T00:00:00Z", Date.parse("2026-03-10T01:00:00Z"))).toBe("3 days ago");
  });

  it("name every gap of an answer, and none of a complete one", () => {
    expect(listGaps(NONE)).toEqual([]);
    for (const gap of ["possibleOnly", "undescribed", "staleEdges", "provisional", "unbound", "silentOnFilters"] as const)
      expect(listGaps({ ...NONE, [gap]: 2 })).toHaveLength(1);
    for (const truncated of ["NODES", "DEPTH", "TIME"]) expect(listGaps({ ...NONE, truncated })).toHaveLength(1);
    expect(listGaps({ ...NONE, hidden: [{ count: 3, domain: null }] }).map((gap) => gap.short)).toEqual(["3 assets that you may not see"]);
    expect(listGaps({ ...NONE, knownLater: [{ relation: "OWNS", sourceKind: "mesh", since: "2026-03-07T00:00:00Z" }] })).toHaveLength(1);
  });
});
