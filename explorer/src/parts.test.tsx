import { act } from "react";
import { createRoot } from "react-dom/client";
import { describe, expect, it, vi } from "vitest";
import { CompletenessLine } from "./completeness";
import { ListLine, Name, OuterLink, RecipientContact, Table } from "./parts";

vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);

function render(element: React.ReactNode): HTMLElement {
  const box = document.createElement("div");
  act(() => createRoot(box).render(element));
  return box;
}

const COMPLETE = {
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
  revision: 1,
};

describe("a name from outside", () => {
  it("is text, whatever it contains", () => {
    const box = render(<Name text={'"><img src=x onerror=alert(1)><script>alert(1)</script>'} />);
    expect(box.querySelector("img, script")).toBeNull();
    expect(box.textContent).toBe('"><img src=x onerror=alert(1)><script>alert(1)</script>');
  });

  it("shows what cannot be seen", () => {
    const box = render(<Name text={"a\u202Eb"} />);
    expect([...box.querySelectorAll(".symbol")].map((one) => one.textContent)).toEqual(["U+202E"]);
  });

  it("is no link to a script", () => {
    const box = render(<OuterLink url="javascript:alert(1)">x</OuterLink>);
    expect(box.querySelector("a")).toBeNull();
    const good = render(<OuterLink url="https://example.com">x</OuterLink>).querySelector("a");
    expect(good?.rel).toBe("noopener noreferrer");
  });
});

describe("how to reach a recipient", () => {
  const owner = { id: "owner_1", kind: "OWNER", name: "finance", qualifiedName: "finance", contact: "#finance" };
  const owners = [1, 2].map((source) => ({ type: "technical", source: `mesh/${source}`, owner, inheritedFrom: null }));

  it("is its own contact, else those of its owners, each once", () => {
    expect(render(<RecipientContact contact="#own" owners={owners} />).textContent).toBe("#own");
    expect(render(<RecipientContact contact={null} owners={owners} />).textContent).toBe("finance: #finance");
    expect(render(<RecipientContact contact={null} owners={[]} />).textContent).toBe("not known");
  });
});

describe("a table", () => {
  const columns = [
    { head: "Name", cell: (row: { name: string; type: string | null }) => row.name },
    { head: "Type", cell: (row: { type: string | null }) => row.type, has: (row: { type: string | null }) => row.type !== null },
  ];
  const show = (...types: (string | null)[]) =>
    render(
      <Table caption="Rows" columns={columns} rowKey={(_, index) => String(index)} rows={types.map((type) => ({ name: "n", type }))} />,
    );

  it("names the columns that no row has a value for below it, and has no empty ones", () => {
    const empty = show(null, null);
    expect([...empty.querySelectorAll("th")].map((one) => one.textContent)).toEqual(["Name"]);
    expect(empty.textContent).toContain("Not stated for any row that is shown: Type.");
  });

  it("has a column that one row has a value for", () => {
    const partly = show(null, "view");
    expect([...partly.querySelectorAll("th")].map((one) => one.textContent)).toEqual(["Name", "Type"]);
    expect(partly.textContent).not.toContain("Not stated");
  });
});

describe("the line below a list", () => {
  it("does not count what is not there", () => {
    expect(render(<ListLine shown={0} total={0} />).textContent).toBe("");
    expect(render(<ListLine shown={2} total={9} />).textContent).toBe("2 of 9 shown.");
  });
});

describe("the completeness line", () => {
  it("is there for a complete answer, too", () => {
    expect(render(<CompletenessLine completeness={COMPLETE} />).querySelector('[data-completeness="complete"]')).not.toBeNull();
  });

  it("names each gap, and explains it", () => {
    const box = render(<CompletenessLine completeness={{ ...COMPLETE, truncated: "NODES", possibleOnly: 12 }} />);
    expect(box.querySelector("summary")?.textContent).toBe(
      "Not certain: cut off by its size and 12 pairs of datasets without column lineage.",
    );
    expect(box.querySelectorAll("li")).toHaveLength(2);
  });
});
