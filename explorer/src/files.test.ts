import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildCsv, guardCsv, quoteShell } from "./files";
import { showName } from "./names";

/** Reads CSV as RFC 4180 describes it. */
function parseCsv(csv: string): string[][] {
  const rows: string[][] = [[]];
  let field = "";
  let quoted = false;
  for (let at = 0; at < csv.length; at++) {
    const one = csv[at];
    if (quoted) {
      if (one === '"' && csv[at + 1] === '"') {
        field += '"';
        at++;
      } else if (one === '"') quoted = false;
      else field += one;
    } else if (one === '"') quoted = true;
    else if (one === ",") {
      rows.at(-1)?.push(field);
      field = "";
    } else if (one === "\r" && csv[at + 1] === "\n") {
      rows.at(-1)?.push(field);
      rows.push([]);
      field = "";
      at++;
    } else field += one;
  }
  rows.pop();
  return rows;
}

describe("CSV", () => {
  it("has no field that a spreadsheet runs", () => {
    for (const bad of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u200B=cmd|' /C calc'!A0"]) {
      const [[field]] = parseCsv(buildCsv([[bad]])) as [[string]];
      expect(field).toMatch(/^['⟨]/);
    }
    expect(guardCsv(-3)).toBe("-3");
  });

  it("can be read again, field by field", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ unit: "binary", maxLength: 8 }), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        (rows) => {
          const read = parseCsv(buildCsv(rows));
          expect(read.map((row) => row.map((field) => field.replace(/^'/, "")))).toEqual(
            rows.map((row) => row.map((field) => showName(field).replace(/^'/, ""))),
          );
        },
      ),
    );
  });
});

describe("a word for the shell", () => {
  it("is read by a shell as it was, and shows every character", () => {
    const words = ["drop customers.email", "it's", "$(rm -rf /)", "`x`", "a\\b", "a\u202Eb", "new\nline", "!x", "'; exit", "\u{e0101}x'\\"];
    for (const word of words) {
      const quoted = quoteShell(word);
      expect(showName(quoted)).toBe(quoted);
      const read = execFileSync("bash", ["--norc", "-c", `printf %s ${quoted}`], { env: { LC_ALL: "C.UTF-8" } }).toString("utf8");
      expect(read).toBe(word);
    }
  });
});
