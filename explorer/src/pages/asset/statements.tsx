/** The tabs of what sources state, and have stated before. */
import { count, text } from "../../messages";
import { PageLine, usePages } from "../../paging";
import { Answered, Name, Table, Value, When } from "../../parts";
import { usePastQuery } from "../../past";
import { DatasetHistory, Facts } from "../../queries/asset";

const MOST_SCHEMAS = 50; // each is a table

export function HistoryTab({ id }: { id: string }) {
  const pages = usePages(id, MOST_SCHEMAS);
  const query = usePastQuery(DatasetHistory, { id, first: pages.first, after: pages.after });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <>
            {node.schemas.totalCount === 0 && <p className="soft">No source has listed its columns.</p>}
            {node.schemas.nodes.map((schema, index) => (
              <details key={pages.skipped + index} open={pages.skipped + index === 0}>
                <summary>
                  <When at={schema.since} ago={false} /> – {schema.until ? <When at={schema.until} ago={false} /> : "now"}:{" "}
                  {count(schema.columns.length, "column", "columns")}, as <Name text={schema.source} /> listed them
                </summary>
                <Table
                  caption="Columns at that time"
                  rows={schema.columns}
                  rowKey={(_, at) => String(at)}
                  columns={[
                    { head: "Column", cell: (row) => <Name text={row.name} /> },
                    { head: "Type", cell: (row) => <Name text={row.dataType ?? ""} /> },
                    { head: "Nullable", cell: (row) => (row.nullable === null ? "" : row.nullable ? "yes" : "no") },
                  ]}
                />
              </details>
            ))}
            <PageLine pages={pages} list={node.schemas} />
          </>
        )
      }
    </Answered>
  );
}

export function FactTab({ id }: { id: string }) {
  const query = usePastQuery(Facts, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node && (
          <>
            <p className="soft">{text.factsHelp}</p>
            <Table
              caption="What sources state"
              rows={node.facts}
              rowKey={(_, index) => String(index)}
              columns={[
                { head: "Attribute", cell: (row) => <Name text={row.attribute} /> },
                { head: "Value", cell: (row) => <Value value={row.value} /> },
                { head: "Shown", cell: (row) => (row.chosen ? "yes" : "no") },
                { head: "Source", cell: (row) => <Name text={row.source} /> },
                { head: "First stated", cell: (row) => <When at={row.observedAt} ago={false} /> },
                { head: "Last stated", cell: (row) => <When at={row.lastObserved} ago={false} /> },
              ]}
            />
          </>
        )
      }
    </Answered>
  );
}
