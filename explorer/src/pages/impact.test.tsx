import { act } from "react";
import { createRoot } from "react-dom/client";
import { describe, expect, it, vi } from "vitest";
import { NoticeReason } from "./impact";

vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);

function read(row: Partial<Parameters<typeof NoticeReason>[0]["row"]>): string {
  const box = document.createElement("div");
  const whole = { why: "consumes what is affected", reason: "CONSUMES" as const, assets: [], byContract: [], total: 0, ...row };
  act(() => createRoot(box).render(<NoticeReason row={whole} />));
  return [box.textContent, ...[...box.querySelectorAll("a")].map((one) => one.getAttribute("href"))].join(" | ");
}

const build = <K extends "Dataset" | "Contract">(type: K, name: string) => ({
  __typename: type,
  id: `id_${name}`,
  kind: type === "Dataset" ? ("DATASET" as const) : ("CONTRACT" as const),
  name,
  qualifiedName: name,
});

describe("why a recipient is notified", () => {
  const [report, orders] = [build("Dataset", "report"), build("Dataset", "orders")];

  it("is the relation with links to the assets, and how many are left out", () => {
    expect(read({ assets: [report, orders], total: 9 })).toBe("consumes report, orders and 7 more | /a/id_report | /a/id_orders");
  });

  it("names the contract through which an owner owns an asset, beside that asset", () => {
    const row = { reason: "OWNS" as const, assets: [report, orders], byContract: [{ asset: orders, contract: build("Contract", "v1") }] };
    expect(read({ ...row, total: 2 })).toContain("owns report, orders (by contract v1) | ");
  });

  it("is the server's words where no asset is known", () => {
    expect(read({})).toBe("consumes what is affected");
  });
});
