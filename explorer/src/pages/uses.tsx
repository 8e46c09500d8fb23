/** Who uses what, for which purpose, under which contract; and how often it was read, as far as usage was loaded. */
import { count } from "../messages";
import { AssetLink, Name, OwnerLinks, Table, When } from "../parts";
import type { Reads, UsageLine, UseLine } from "../queries/asset";

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
        { head: "Reads", cell: (row) => row.reads && <ReadCount reads={row.reads} />, has: (row) => row.reads !== null },
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

/** `312 reads, the last on ...`. */
export function ReadCount({ reads }: { reads: Reads }) {
  return (
    <>
      {count(reads.count, "read", "reads")}, the last <When at={reads.lastRead} />
    </>
  );
}

/** All reads of a dataset or a column, and in which time none is missing. */
export function UsageSummary({ usage }: { usage: UsageLine | null }) {
  if (usage === null || (usage.reads === null && usage.windows.length === 0)) return null;
  return (
    <>
      <p>
        {usage.reads === null ? (
          "No read of it is known."
        ) : (
          <>
            <ReadCount reads={usage.reads} />, by {count(usage.readers, "consumer", "consumers")} since{" "}
            <When at={usage.reads.firstRead} ago={false} />.
          </>
        )}
      </p>
      {usage.windows.map((one, index) => (
        <p key={index} className="soft">
          No read is missing from <When at={one.since} ago={false} /> to <When at={one.until} />
          {one.columns ? ", and it is known which columns were read" : ""}. Stated by <Name text={one.source} />.
        </p>
      ))}
    </>
  );
}
