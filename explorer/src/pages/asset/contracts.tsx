/** The tabs of contracts and consumers. */
import { buildHref } from "../../location";
import { Answered, AssetLink, AssetLinks, Badge, Link, Name, OuterLink, Table } from "../../parts";
import { usePastQuery } from "../../past";
import { ColumnUses, ConsumerDetails, ContractDetails, DatasetContracts } from "../../queries/asset";
import { UsageSummary, Uses } from "../uses";
import { asName, Row } from "./rows";

export function ContractTab({ id }: { id: string }) {
  const query = usePastQuery(DatasetContracts, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <>
            <h3>Contracts</h3>
            <Contracts contracts={node.contracts} />
            <h3>Consumers</h3>
            <UsageSummary usage={node.usage} />
            <Uses uses={node.consumers} by="consumer" />
            <h3>Products with it as a port</h3>
            <p>
              <AssetLinks assets={node.products} />
            </p>
          </>
        )
      }
    </Answered>
  );
}

export function Contracts({
  contracts,
}: {
  contracts: readonly { id: string; kind: string; name: string; qualifiedName: string; version: string | null; status: string | null }[];
}) {
  return (
    <Table
      caption="Contracts"
      rows={contracts}
      rowKey={(row) => row.id}
      columns={[
        { head: "Contract", cell: (row) => <AssetLink asset={row} full={false} /> },
        { head: "Version", cell: (row) => <Name text={row.version ?? ""} /> },
        { head: "Status", cell: (row) => <Name text={row.status ?? ""} /> },
      ]}
    />
  );
}

export function ColumnUseTab({ id }: { id: string }) {
  const query = usePastQuery(ColumnUses, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Column" && (
          <>
            <h3>Use exactly this column</h3>
            <UsageSummary usage={node.usage} />
            <Uses uses={node.consumers} by="consumer" />
            <h3>
              Use its dataset, <AssetLink asset={node.dataset} full={false} />
            </h3>
            <UsageSummary usage={node.dataset.usage} />
            <Uses uses={node.dataset.consumers} by="consumer" />
            <h3>Contracts of its dataset</h3>
            <Contracts contracts={node.dataset.contracts} />
          </>
        )
      }
    </Answered>
  );
}

export function ConsumerTab({ id }: { id: string }) {
  const query = usePastQuery(ConsumerDetails, { id });
  return (
    <>
      <Answered query={query}>{({ node }) => node?.__typename === "Consumer" && <Uses uses={node.consumes} by="asset" />}</Answered>
      <div className="row">
        <Link href={buildHref("/impact", { of: id, dir: "up" })} className="button">
          Where its data comes from
        </Link>
      </div>
    </>
  );
}

export function ContractDetailTab({ id }: { id: string }) {
  const query = usePastQuery(ContractDetails, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Contract" && (
          <>
            <p>
              It governs <AssetLinks assets={node.governs} full />.
            </p>
            <h3>Consumers under it</h3>
            <Uses uses={node.consumers} by="consumer" />
            {node.versions.map((version, index) => (
              <details key={index} open={index === 0} className="stack">
                <summary>
                  <span className="strong">
                    Version <Name text={version.version ?? "without a number"} />
                  </span>{" "}
                  <Badge tone={version.inForce ? "good" : ""}>{version.inForce ? "in force" : "not in force"}</Badge>{" "}
                  <Name text={version.status ?? ""} /> <span className="soft">stated by {<Name text={version.source} />}</span>
                </summary>
                <Table
                  caption="Fields"
                  rows={version.fields}
                  rowKey={(row, at) => `${row.model}:${row.name}:${at}`}
                  columns={[
                    { head: "Field", cell: (row) => <Name text={`${row.model}.${row.name}`} /> },
                    { head: "Type", cell: (row) => <Name text={row.dataType ?? row.physicalType ?? ""} /> },
                    { head: "Required", cell: (row) => (row.required === null ? "" : row.required ? "yes" : "no") },
                    {
                      head: "Notes",
                      cell: (row) => (
                        <Name
                          text={[row.classification, row.pii && "personal data", row.deprecated && "deprecated", row.unique && "unique"]
                            .filter(Boolean)
                            .join(", ")}
                        />
                      ),
                    },
                    { head: "Description", cell: (row) => <Name text={row.description ?? ""} most={200} /> },
                  ]}
                />
                {version.sla.length > 0 && (
                  <ul>
                    {version.sla.map((one, at) => (
                      <li key={at}>
                        <Name text={one.name} />: <Name text={one.text} />
                      </li>
                    ))}
                  </ul>
                )}
                <dl>
                  <Row name="Usage" value={asName(version.terms.usage)} />
                  <Row name="Limitations" value={asName(version.terms.limitations)} />
                  <Row name="Notice period" value={asName(version.terms.noticePeriod?.text)} />
                  <Row
                    name="Links"
                    value={
                      version.links.length > 0 &&
                      version.links.map((one, at) => (
                        <div key={at}>
                          <OuterLink url={one.url}>
                            <Name text={one.name} />
                          </OuterLink>
                        </div>
                      ))
                    }
                  />
                </dl>
              </details>
            ))}
          </>
        )
      }
    </Answered>
  );
}
