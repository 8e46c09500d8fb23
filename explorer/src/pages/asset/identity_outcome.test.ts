import { describe, expect, test } from "vitest";
import type { NameReason } from "../../queries/asset";
import { buildNameIntent } from "./identity_editor";
import { describeJoin, describeParting, describeRetraction, type IdentityLike } from "./identity_outcome";

const name = (text: string) => ({ id: `ds_${text}`, namespace: "wh", name: text });

let last = 0;
function state(start: string, end: string, change: Partial<NameReason> = {}): NameReason {
  last += 1;
  const usual = {
    type: "SAME_AS" as const,
    why: "symlink",
    rule: null,
    source: "openlineage/x",
    since: "2026-01-01T00:00:00Z",
    overruled: false,
  };
  return { start: name(start), end: name(end), ...usual, statement: `st_${last}`, ...change };
}

function identify(members: string[], reasons: NameReason[] = [], partings: NameReason[] = []): IdentityLike {
  return { shown: name(members[0] ?? ""), members: members.map((one) => ({ name: name(one), past: false })), reasons, partings };
}

const apart = (start: string, end: string) => state(start, end, { type: "DIFFERENT_FROM", why: "two feeds", source: "mesh/shop" });

describe("a join", () => {
  test("has all names of both", () => {
    const found = describeJoin(identify(["a", "path\u202e"]), identify(["b"])).join(" ");
    expect(found).toContain("one dataset with these names: wh/a, wh/path⟨U+202E⟩, and wh/b.");
  });

  test("of names that are stated to be different joins nothing", () => {
    const found = describeJoin(identify(["a"], [], [apart("a", "b")]), identify(["b"], [], [apart("a", "b")])).join(" ");
    expect(found).toContain("mesh/shop states that wh/a is not wh/b (two feeds)");
    expect(found).toContain("nothing is joined");
    expect(found).not.toContain("become one");
  });

  test("whose other names are stated to be different joins not all", () => {
    const found = describeJoin(identify(["a", "a2"], [], [apart("a2", "b")]), identify(["b"])).join(" ");
    expect(found).toContain("not all of these names become one dataset: wh/a, wh/a2, and wh/b");
    expect(describeJoin(identify(["a"], [], [apart("a", "c")]), identify(["b"])).join(" ")).toContain("They become one dataset");
  });

  test("of many names lists the first", () => {
    const found = describeJoin(identify(Array.from({ length: 30 }, (_, index) => `t${index}`)), identify(["b"])).join(" ");
    expect(found).toContain("wh/t19, and 11 more.");
    expect(found).not.toContain("wh/t20");
  });
});

describe("a parting", () => {
  test("shows which names go with which", () => {
    const found = describeParting(identify(["a", "b", "c", "d"], [state("a", "b"), state("c", "b"), state("d", "a")]), "ds_b", "ds_a");
    expect(found).toEqual([
      "Without effect then: openlineage/x states that wh/a is wh/b (symlink).",
      "One dataset: wh/b and wh/c.",
      "Another dataset: wh/a and wh/d.",
    ]);
  });

  test("of names that others connect as well is decided by the strength of their sources", () => {
    const found = describeParting(identify(["a", "b", "c"], [state("a", "b"), state("a", "c"), state("c", "b")]), "ds_a", "ds_b");
    expect(found.join(" ")).toContain("Other statements connect the two as well");
    expect(found.join(" ")).not.toContain("Another dataset");
  });

  test("does not count a statement without effect as a connection, and names it", () => {
    const idle = state("a", "b", { overruled: true, why: "old rule" });
    const found = describeParting(identify(["a", "c", "b"], [idle, state("a", "c"), state("c", "b")]), "ds_c", "ds_b");
    expect(found).toContain("Another dataset: wh/b.");
    expect(found.at(-1)).toContain("perhaps with effect then: openlineage/x states that wh/a is wh/b (old rule)");
  });

  test("does not undo a rename", () => {
    const found = describeParting(identify(["a", "b"], [state("a", "b", { type: "RENAMED_TO", why: "rename" })]), "ds_a", "ds_b");
    expect(found).toEqual([
      "openlineage/x states that wh/a was renamed to wh/b (rename)",
      "A rename is never parted: they stay one dataset.",
    ]);
  });
});

describe("a retraction", () => {
  test("of the only connection parts the names", () => {
    const own = state("a", "b", { source: "person/ana" });
    const found = describeRetraction(identify(["a", "b", "c"], [own, state("b", "c")]), own);
    expect(found).toEqual(["One dataset: wh/a.", "Another dataset: wh/b and wh/c."]);
    expect(describeRetraction(identify(["a", "b"], [own, state("b", "a")]), own)).toEqual([
      "Other statements connect the two names: they stay one dataset.",
    ]);
    expect(describeRetraction(identify(["a"], [{ ...own, overruled: true }]), { ...own, overruled: true })[0]).toContain("no effect now");
  });

  test("of a barrier gives way to what it overrules, unless there is another", () => {
    const [own, idle] = [apart("a", "b"), state("a", "b", { overruled: true })];
    expect(describeRetraction(identify(["a"], [idle], [own]), own).join(" ")).toMatch(
      /applies again.*perhaps with effect then.*wh\/a is wh\/b/,
    );
    expect(describeRetraction(identify(["a"], [idle], [own, apart("b", "a")]), own).join(" ")).toContain("all the same");
    expect(describeRetraction(identify(["a"], [idle], [own, apart("a", "c")]), own).join(" ")).toContain("applies again");
  });
});

test("the confirmation names the author, both names and the reason", () => {
  const [one, other] = [identify(["a", "a2"], [state("a", "a2")]), identify(["b"])];
  const given = { dataset: "ds_a", other: "ds_b", why: " one feed ", by: null };
  const join = buildNameIntent("join", given, one, other, "ana");
  expect(join.sentence).toBe("State in the name of ana that wh/a is the same dataset as wh/b, because: “one feed”.");
  expect(join.points[0]).toContain("They become one dataset");
  const part = buildNameIntent("part", { ...given, other: "ds_a2" }, one, null, "ana");
  expect(part.sentence).toContain("wh/a is not the same dataset as wh/a2");
  expect(part.points).toContain("Another dataset: wh/a2.");
  expect(buildNameIntent("bar", given, one, other, "ana").points.join(" ")).toContain("They are two datasets now: wh/a and wh/b.");
});
