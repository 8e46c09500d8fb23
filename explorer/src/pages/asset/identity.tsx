/** The tab of the names of a dataset, and why they are one. */
import { nameValue } from "../../messages";
import { Answered, AssetLink, Badge, Name, Table, When } from "../../parts";
import { usePastQuery } from "../../past";
import { DatasetIdentity } from "../../queries/asset";

export function IdentityTab({ id }: { id: string }) {
  const query = usePastQuery(DatasetIdentity, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <>
            <Table
              caption="Names"
              rows={node.identity.members}
              rowKey={(row) => row.name.id}
              columns={[
                { head: "Name", cell: (row) => <Name text={`${row.name.namespace}/${row.name.name}`} /> },
                { head: "Shown", cell: (row) => (row.shown ? "yes" : "") },
                {
                  head: "Rank",
                  cell: (row) => (
                    <>
                      {nameValue(row.rank)} {row.source && <Name text={`(${row.source})`} />} {row.past && "until it was renamed"}
                    </>
                  ),
                },
              ]}
            />
            <h3>What joins them</h3>
            <Reasons reasons={node.identity.reasons} />
            {node.identity.partings.length > 0 && (
              <>
                <h3>What keeps others apart</h3>
                <Reasons reasons={node.identity.partings} />
              </>
            )}
            {node.identity.mergedColumns.length > 0 && (
              <>
                <h3>Columns with several spellings</h3>
                <ul>
                  {node.identity.mergedColumns.map((one) => (
                    <li key={one.column.id}>
                      <AssetLink asset={one.column} full={false} />:{" "}
                      <Name text={one.spellings.map((spelling) => spelling.name).join(", ")} />
                    </li>
                  ))}
                </ul>
              </>
            )}
          </>
        )
      }
    </Answered>
  );
}

interface ReasonLike {
  start: { namespace: string; name: string };
  end: { namespace: string; name: string };
  type: string;
  why: string;
  rule: string | null;
  source: string;
  since: string;
  overruled: boolean;
}

function Reasons({ reasons }: { reasons: readonly ReasonLike[] }) {
  return (
    <Table
      caption="Statements about names"
      rows={reasons}
      rowKey={(_, index) => String(index)}
      columns={[
        { head: "Name", cell: (row) => <Name text={`${row.start.namespace}/${row.start.name}`} /> },
        { head: "Relation", cell: (row) => nameValue(row.type) },
        { head: "Other name", cell: (row) => <Name text={`${row.end.namespace}/${row.end.name}`} /> },
        {
          head: "Why",
          cell: (row) => (
            <>
              <Name text={row.why} most={300} /> {row.rule && <Name text={`(rule: ${row.rule})`} most={300} />}{" "}
              {row.overruled && <Badge tone="warn">overruled</Badge>}
            </>
          ),
        },
        { head: "Stated by", cell: (row) => <Name text={row.source} /> },
        { head: "Since", cell: (row) => <When at={row.since} ago={false} /> },
      ]}
    />
  );
}
