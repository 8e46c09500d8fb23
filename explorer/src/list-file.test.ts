import { describe, expect, it } from "vitest";
import { buildListFile, type FileColumn, nameListFile, type ReadPart, readRows } from "./list-file";
import { RUN_COLUMNS } from "./pages/run-table";

/** A list of so many rows as the server gives it; the cursor is the number of its last row. */
function serve(total: number, asked: [number, string | null][] = []): ReadPart<number> {
  return async ({ first, after }) => {
    asked.push([first, after]);
    const start = after === null ? 0 : Number(after);
    const end = Math.min(total, start + first);
    const nodes = Array.from({ length: end - start }, (_, index) => start + index);
    return { totalCount: total, nodes, pageInfo: { hasNextPage: end < total, endCursor: nodes.length > 0 ? String(end) : null } };
  };
}

describe("the rows of a list", () => {
  it("are all of them, each once, in requests of a thousand", async () => {
    for (const total of [0, 1, 999, 1000, 1001, 2500]) {
      const asked: [number, string | null][] = [];
      const found = await readRows(serve(total, asked), Number.POSITIVE_INFINITY);
      expect(found).toEqual({ rows: Array.from({ length: total }, (_, index) => index), total, cut: false });
      expect(asked).toHaveLength(Math.max(1, Math.ceil(total / 1000)));
    }
  });

  it("end at the most of a file, which its name says", async () => {
    const asked: [number, string | null][] = [];
    const found = await readRows(serve(2500, asked), 1500);
    expect([found.rows.length, found.total, found.cut]).toEqual([1500, 2500, true]);
    expect(asked).toEqual([
      [1000, null],
      [500, "1000"],
    ]);
    expect(nameListFile("events", found)).toBe("events first 1500.csv");
    const whole = await readRows(serve(1500), 1500);
    expect([whole.rows.length, whole.cut]).toEqual([1500, false]);
    expect(nameListFile("events", whole)).toBe("events.csv");
    expect(nameListFile("x".repeat(500), found)).toMatch(/^x{80} first 1500\.csv$/);
  });

  it("are none where there is no such list, and a failed request is no shorter file", async () => {
    expect(await readRows(async () => null, 10)).toEqual({ rows: [], total: 0, cut: false });
    const fails: ReadPart<number> = async (part) => {
      if (part.after !== null) throw new Error("away");
      return serve(3000)(part);
    };
    await expect(readRows(fails, Number.POSITIVE_INFINITY)).rejects.toThrow("away");
  });
});

describe("the file of a list", () => {
  it("has a head, a line for each row, and no formula", () => {
    const columns: readonly FileColumn<{ key: string; value: string | null; assets: number }>[] = [
      ["key", (row) => row.key],
      ["value", (row) => row.value],
      ["assets", (row) => row.assets],
    ];
    const rows = [
      { key: "=1+1", value: "a,b", assets: 3 },
      { key: "pii", value: null, assets: 0 },
    ];
    expect(buildListFile(columns, rows)).toBe(`\uFEFFkey,value,assets\r\n'=1+1,"a,b",3\r\npii,,0\r\n`);
  });

  it("of runs names how each ended, and what failed", () => {
    const run = {
      id: "run_1",
      runId: "r1",
      state: "FAIL",
      startedAt: "2026-03-01T00:00:00Z",
      endedAt: null,
      durationMs: null,
      nominalStart: null,
      error: "=cmd|'/C calc'!A0",
      source: "openlineage/default",
      job: null,
      parent: { runId: "p", jobName: "dag" },
    } as const;
    const [head, row] = buildListFile(RUN_COLUMNS, [run]).split("\r\n");
    expect(head).toBe("\uFEFFstate,job,started,ended,milliseconds,for the time from,part of,error,run,source,id");
    expect(row).toBe("failed,,2026-03-01T00:00:00Z,,,,dag,'=cmd|'/C calc'!A0,r1,openlineage/default,run_1");
  });
});
