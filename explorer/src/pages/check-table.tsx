/** A table of quality checks. */
import { AssetLink, Name, OutcomeBadge, Table, Value, When } from "../parts";
import type { CheckLine } from "../queries/asset";

export function CheckTable<Check extends CheckLine>({ checks }: { checks: readonly Check[] }) {
  return (
    <Table
      caption="Checks"
      rows={checks}
      rowKey={(row, index) => `${row.suite}:${row.name}:${index}`}
      columns={[
        { head: "Check", cell: (row) => <Name text={row.name} /> },
        { head: "Of", cell: (row) => <AssetLink asset={row.asset} /> },
        { head: "Result", cell: (row) => <OutcomeBadge outcome={row.outcome} /> },
        { head: "Expected", cell: (row) => <Value value={row.expected} /> },
        { head: "Observed", cell: (row) => <Value value={row.observed} /> },
        { head: "Message", cell: (row) => <Name text={row.message ?? ""} most={300} /> },
        { head: "Fails since", cell: (row) => row.failingSince && <When at={row.failingSince} /> },
        { head: "Last run", cell: (row) => <When at={row.at} /> },
      ]}
    />
  );
}
