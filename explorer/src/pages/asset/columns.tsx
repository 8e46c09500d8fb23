import { PageLine, usePages } from "../../paging";
import { Answered, AssetLink, Badge, Name, OutcomeBadge, Table } from "../../parts";
import { usePastQuery } from "../../past";
import { Checks, DatasetColumns } from "../../queries/asset";
import { CheckTable } from "../check-table";
import { ReadCount } from "../uses";

const MOST_COLUMNS = 1000;

export function ColumnTab({ id }: { id: string }) {
  const pages = usePages(id, MOST_COLUMNS);
  const query = usePastQuery(DatasetColumns, { id, first: pages.first, after: pages.after });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <>
            <Table
              caption="Columns"
              rows={node.columns.nodes}
              rowKey={(row) => row.id}
              columns={[
                { head: "Column", cell: (row) => <AssetLink asset={row} full={false} /> },
                { head: "Type", cell: (row) => <Name text={row.dataType ?? ""} /> },
                { head: "Nullable", cell: (row) => (row.nullable === null ? "" : row.nullable ? "yes" : "no") },
                {
                  head: "Notes",
                  cell: (row) => (
                    <>
                      {row.inferred && <Badge>from lineage alone</Badge>} {row.unlisted && <Badge tone="warn">no longer listed</Badge>}{" "}
                      {row.tags.map((tag, index) => (
                        <Badge key={index}>
                          <Name text={tag.value ? `${tag.key}=${tag.value}` : tag.key} most={40} />
                        </Badge>
                      ))}{" "}
                      {row.quality.some((one) => one.outcome === "FAILED" || one.outcome === "ERROR") && <OutcomeBadge outcome="FAILED" />}
                    </>
                  ),
                },
                {
                  head: "Reads",
                  cell: (row) => row.usage?.reads && <ReadCount reads={row.usage.reads} />,
                  has: (row) => Boolean(row.usage?.reads),
                },
                { head: "Description", cell: (row) => <Name text={row.description ?? ""} most={200} /> },
              ]}
            />
            <PageLine pages={pages} list={node.columns} />
            {!node.described && (
              <p className="notice warn">No source lists its columns: these are known from lineage, and there may be more.</p>
            )}
          </>
        )
      }
    </Answered>
  );
}

export function CheckTab({ id }: { id: string }) {
  const query = usePastQuery(Checks, { id });
  return (
    <Answered query={query}>
      {({ node }) => (node?.__typename === "Dataset" || node?.__typename === "Column") && <CheckTable checks={node.quality} />}
    </Answered>
  );
}
