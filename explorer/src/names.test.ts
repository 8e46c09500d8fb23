import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkLink, cutName, nameWithin, showName, splitName, splitWords } from "./names";

describe("names", () => {
  it("shows what cannot be seen, or turns the text around it, as a symbol", () => {
    expect(showName("user\u202Egpj.exe")).toBe("user⟨U+202E⟩gpj.exe");
    expect(showName("a\u200Bb\u0000c\uFEFF")).toBe("a⟨U+200B⟩b⟨U+0000⟩c⟨U+FEFF⟩");
    expect(showName("Straße 客户 émigré")).toBe("Straße 客户 émigré");
  });

  it("loses no character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (given) => {
        const back = splitName(given)
          .map((part) => (part.symbol ? String.fromCodePoint(Number.parseInt(part.text.slice(2), 16)) : part.text))
          .join("");
        expect(back).toBe(given);
      }),
    );
  });

  it("names a column with its dataset, and any other asset by its name", () => {
    const column = { kind: "COLUMN", name: "email", qualifiedName: "http://iceberg-rest.internal:8181/customers.customers.email" };
    expect(nameWithin(column)).toBe("customers.customers.email");
    expect(nameWithin({ ...column, name: "a/b.c", qualifiedName: "file//landing/crm/contacts.a/b.c" })).toBe("contacts.a/b.c");
    expect(nameWithin({ ...column, kind: "DATASET", name: "customers.customers" })).toBe("customers.customers");
  });

  it("ends lines of a long name after its separators, and loses none of it", () => {
    expect(splitWords("duckdb:///warehouse/marts.duckdb/marts.finance.daily")).toEqual([
      "duckdb:///",
      "warehouse/",
      "marts.",
      "duckdb/",
      "marts.",
      "finance.",
      "daily",
    ]);
    expect(splitWords("analytics-engineering@company.com")).toEqual(["analytics-engineering", "@company.com"]);
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 80 }), (given) => splitWords(given).join("") === given));
  });

  it("cuts a long name in the middle", () => {
    expect(cutName("abcdefghij", 5)).toBe("ab…ij");
    expect(cutName("abc", 5)).toBe("abc");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 3, max: 40 }), (given, most) => {
        expect(Array.from(cutName(given, most)).length).toBeLessThanOrEqual(most);
      }),
    );
  });

  it("links only to addresses of the web and of mail", () => {
    expect(checkLink("https://example.com/a")).toBe("https://example.com/a");
    expect(checkLink("mailto:team@example.com")).toBe("mailto:team@example.com");
    for (const bad of ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " data:text/html,x", "//evil", "vbscript:x", "", "file:///etc/passwd"])
      expect(checkLink(bad)).toBeNull();
  });
});
