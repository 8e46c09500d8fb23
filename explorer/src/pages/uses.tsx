/** Who uses what, for which purpose, under which contract. */
import { AssetLink, Name, OwnerLinks, Table } from "../parts";
import type { UseLine } from "../queries/asset";

export function Uses({ uses, by }: { uses: readonly UseLine[]; by: "consumer" | "asset" }) {
  return (
    <Table
      caption="Uses"
      rows={uses}
      rowKey={(_, index) => String(index)}
      columns={[
        ...(by === "consumer"
          ? [
              { head: "Consumer", cell: (row: UseLine) => <AssetLink asset={row.consumer} full={false} /> },
              { head: "Owner", cell: (row: UseLine) => <OwnerLinks owners={row.consumer.owners} /> },
            ]
          : []),
        { head: "Uses", cell: (row) => <AssetLink asset={row.asset} /> },
        { head: "Purpose", cell: (row) => <Name text={row.purpose ?? ""} most={200} /> },
        {
          head: "Contract",
          cell: (row) =>
            row.contract ? <AssetLink asset={row.contract} full={false} /> : <Name text={row.contractName ?? "none stated"} />,
        },
      ]}
    />
  );
}
