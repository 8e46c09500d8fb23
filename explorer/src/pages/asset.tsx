/** The page of one asset, of any kind: what it is, whose it is, what breaks if it changes, and everything that is stated about it. */
import { Fragment, type ReactNode } from "react";
import { useQuery } from "../client";
import { CompletenessLine, lookBehind } from "../completeness";
import { buildHref, changeHref, usePlace } from "../location";
import { count, formatNumber, formatSeconds, nameKind, nameValue, text } from "../messages";
import {
  Answered,
  AssetLink,
  AssetLinks,
  Badge,
  CopyButton,
  Link,
  ListLine,
  Name,
  OutcomeBadge,
  OuterLink,
  OwnerLinks,
  PathLine,
  Prose,
  ReachBadge,
  StandingBadge,
  Table,
  Value,
  When,
} from "../parts";
import { usePast, usePastQuery } from "../past";
import {
  Checks,
  ColumnUses,
  ConsumerDetails,
  ContractDetails,
  DatasetColumns,
  DatasetContracts,
  DatasetHistory,
  DatasetIdentity,
  DatasetJobs,
  DatasetRuns,
  DomainDetails,
  Facts,
  type Granularity,
  Head,
  type HeadAnswer,
  JobDetails,
  JobRuns,
  Neighbours,
  OwnerDetails,
  ProductConsumers,
  ProductDependants,
  ProductDetails,
} from "../queries/asset";
import { ConsumersGap, ImpactGap, LineageGap, ProductGap } from "../queries/completeness";
import { ImpactSummary } from "../queries/impact";
import { useTitle } from "../title";
import { CheckTable } from "./check-table";
import { EditCard } from "./edit";
import { RunHealth, Runs } from "./run-table";
import { Uses } from "./uses";

type Asset = NonNullable<HeadAnswer["node"]>;

interface Tab {
  key: string;
  name: string;
  show: (id: string) => ReactNode;
  /** It is of the present, whatever time the page shows. */
  present?: true;
}

const FACTS: Tab = { key: "facts", name: "Facts", show: (id) => <FactTab id={id} /> };
const IMPACT: Tab = { key: "impact", name: "What breaks", show: (id) => <ImpactTab id={id} /> };

const around = (granularity: Granularity): Tab => ({
  key: "lineage",
  name: "Lineage",
  show: (id) => <NeighbourTab id={id} granularity={granularity} />,
});

/** The tabs of each kind; the first is open at first. */
const TABS: Record<string, Tab[]> = {
  DATASET: [
    { key: "columns", name: "Columns", show: (id) => <ColumnTab id={id} /> },
    around("DATASET"),
    { key: "jobs", name: "Jobs", show: (id) => <JobTab id={id} /> },
    { key: "runs", name: "Runs", show: (id) => <DatasetRunTab id={id} />, present: true },
    { key: "checks", name: "Checks", show: (id) => <CheckTab id={id} /> },
    { key: "contracts", name: "Contracts and consumers", show: (id) => <ContractTab id={id} /> },
    { key: "identity", name: "Identity", show: (id) => <IdentityTab id={id} /> },
    { key: "history", name: "History", show: (id) => <HistoryTab id={id} /> },
    FACTS,
  ],
  COLUMN: [
    around("COLUMN"),
    { key: "uses", name: "Consumers", show: (id) => <ColumnUseTab id={id} /> },
    { key: "checks", name: "Checks", show: (id) => <CheckTab id={id} /> },
    FACTS,
  ],
  DATA_PRODUCT: [
    { key: "ports", name: "Ports and promises", show: (id) => <ProductTab id={id} /> },
    { key: "consumers", name: "Consumers", show: (id) => <ProductConsumerTab id={id} />, present: true },
    { key: "dependants", name: "Dependent products", show: (id) => <DependantTab id={id} />, present: true },
    around("PRODUCT"),
    FACTS,
  ],
  DOMAIN: [{ key: "contents", name: "Contents", show: (id) => <DomainTab id={id} /> }, around("DOMAIN"), FACTS],
  JOB: [
    { key: "job", name: "SQL, reads and writes", show: (id) => <JobDetailTab id={id} /> },
    { key: "runs", name: "Runs", show: (id) => <JobRunTab id={id} />, present: true },
    FACTS,
  ],
  OWNER: [{ key: "owns", name: "Owns", show: (id) => <OwnerTab id={id} /> }, FACTS],
  CONSUMER: [{ key: "consumes", name: "Consumes", show: (id) => <ConsumerTab id={id} /> }, FACTS],
  CONTRACT: [{ key: "versions", name: "Versions and fields", show: (id) => <ContractDetailTab id={id} /> }, FACTS],
};

/** The kinds that `impact` starts from. */
const WITH_IMPACT = new Set(["COLUMN", "DATASET", "DATA_PRODUCT", "DOMAIN", "JOB"]);

export default function AssetPage({ id }: { id: string }) {
  const query = usePastQuery(Head, { id });
  return (
    <>
      {query.data === null && <h1 className="hidden-text">{text.loading}</h1>}
      <Answered query={query}>{({ node }) => (node === null ? <Unknown id={id} /> : <Known asset={node} />)}</Answered>
    </>
  );
}

function Unknown({ id }: { id: string }) {
  useTitle(text.unknownAsset);
  return (
    <div className="head">
      <h1 tabIndex={-1}>{text.unknownAsset}</h1>
      <p>{usePast() === null ? text.unknownAssetHelp : text.unknownThen}</p>
      <p className="mono">
        <Name text={id} />
      </p>
    </div>
  );
}

function Known({ asset }: { asset: Asset }) {
  const place = usePlace();
  const asOf = usePast();
  useTitle(`${asset.name} (${nameKind(asset.kind)})`);
  const withImpact = WITH_IMPACT.has(asset.kind);
  const tabs = [...(TABS[asset.kind] ?? [FACTS])];
  if (withImpact) tabs.splice(1, 0, IMPACT);
  const open = tabs.find((tab) => tab.key === place.search.get("tab")) ?? tabs[0] ?? FACTS;
  return (
    <>
      <div className="head">
        <p className="kicker">
          {nameKind(asset.kind)}
          {asset.__typename === "Column" && (
            <>
              {" "}
              of <AssetLink asset={asset.dataset} />
            </>
          )}
        </p>
        <h1 tabIndex={-1}>
          <Name text={asset.name} />
        </h1>
        {asset.qualifiedName !== asset.name && (
          <p className="mono soft">
            <Name text={asset.qualifiedName} most={300} />
          </p>
        )}
        {asset.description && (
          <p>
            <Prose text={asset.description} />
          </p>
        )}
      </div>
      {withImpact && <ImpactCard asset={asset} />}
      <section className="card" aria-labelledby="about">
        <h2 id="about">About it</h2>
        <dl>
          <dt>Owners</dt>
          <dd>
            <OwnerLinks owners={asset.owners} detailed />
          </dd>
          <Row name="Domain" value={asset.domain && <AssetLink asset={asset.domain} />} />
          <Row name="Product" value={asset.product && <AssetLink asset={asset.product} />} />
          <KindRows asset={asset} />
          <Row
            name="Tags"
            value={
              asset.tags.length > 0 &&
              asset.tags.map((tag, index) => (
                <Fragment key={index}>
                  <Badge title={`stated by ${tag.source}`}>
                    <Name text={tag.value ? `${tag.key}=${tag.value}` : tag.key} most={60} />
                  </Badge>{" "}
                </Fragment>
              ))
            }
          />
          <dt>Last stated</dt>
          <dd>
            <When at={asset.lastObserved} />
          </dd>
        </dl>
      </section>
      {asOf === null && <EditCard asset={asset} />}
      <section className="stack" aria-label="Details">
        <nav className="tabs" aria-label="Details">
          {tabs.map((tab) => (
            <Link key={tab.key} href={changeHref(place, { tab: tab.key })} current={tab === open}>
              {tab.name}
            </Link>
          ))}
        </nav>
        <div className="card">
          <h2>{open.name}</h2>
          {open.present && asOf !== null && <p className="notice warn">{text.tabPresent}</p>}
          {open.show(asset.id)}
        </div>
      </section>
    </>
  );
}

function Row({ name, value }: { name: string; value: ReactNode }) {
  if (value === null || value === undefined || value === false || value === "") return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

const asName = (value: string | null | undefined) => value && <Name text={value} most={300} />;

function KindRows({ asset }: { asset: Asset }) {
  const past = usePast() !== null;
  switch (asset.__typename) {
    case "Dataset":
      return (
        <>
          <Row name="Type" value={asName(asset.datasetType)} />
          <Row name="Location" value={asName(asset.location)} />
          <Row name="Port of" value={asset.products.length > 0 && <AssetLinks assets={asset.products} />} />
          <Row
            name="Also known as"
            value={
              asset.aliases.length > 0 &&
              asset.aliases.map((alias, index) => (
                <div key={index}>
                  <Name text={`${alias.namespace}/${alias.name}`} />{" "}
                  <span className="soft">
                    <Name text={alias.why} />, stated by <Name text={alias.source} />
                  </span>
                </div>
              ))
            }
          />
          <Row
            name="Checks"
            value={
              Object.values(asset.qualityCounts).some((value) => value > 0) &&
              Object.entries(asset.qualityCounts)
                .filter(([, value]) => value > 0)
                .map(([name, value]) => `${formatNumber(value)} ${name === "notRun" ? "not run" : name}`)
                .join(", ")
            }
          />
          {!asset.described && <Row name="Columns" value={<Badge tone="warn">no source lists them</Badge>} />}
          {asset.inferred && <Row name="Known from" value="column lineage alone: it may not be a table" />}
        </>
      );
    case "Column":
      return (
        <>
          <Row name="Type" value={asName(asset.dataType)} />
          <Row name="Nullable" value={asset.nullable === null ? null : asset.nullable ? "yes" : "no"} />
          <Row name="Position" value={asset.position} />
          {asset.inferred && <Row name="Known from" value="lineage alone: no source lists it among the columns of its dataset" />}
          {asset.unlisted && <Row name="Listed" value={<Badge tone="warn">the catalog or a newer schema lacks it</Badge>} />}
          <Row
            name="Former names"
            value={
              asset.formerNames.length > 0 &&
              asset.formerNames.map((one, index) => (
                <div key={index}>
                  <Name text={one.name} /> until <When at={one.until} ago={false} />
                </div>
              ))
            }
          />
        </>
      );
    case "Job":
      return (
        <>
          <Row name="Type" value={asName(asset.jobType)} />
          <Row name="Processing" value={asName(asset.processingType)} />
          <Row name="Integration" value={asName(asset.integration)} />
          <Row name="Last runs" value={!past && asset.runs.nodes.length > 0 && <RunHealth runs={asset.runs.nodes} />} />
        </>
      );
    case "DataProduct":
      return (
        <>
          <Row name="Title" value={asName(asset.title)} />
          <Row name="Version" value={asName(asset.version)} />
          <Row name="Status" value={asName(asset.status)} />
          <Row name="Registered in" value={asName(asset.registeredIn.join(", "))} />
        </>
      );
    case "Domain":
      return <Row name="Title" value={asName(asset.title)} />;
    case "Owner":
      return (
        <>
          <Row name="Title" value={asName(asset.title)} />
          <Row name="Contact" value={asset.contact && <Contact contact={asset.contact} />} />
          <Row name="Type" value={asName(asset.ownerType)} />
        </>
      );
    case "Consumer":
      return (
        <>
          <Row name="Title" value={asName(asset.title)} />
          <Row name="Type" value={asName(asset.consumerType)} />
        </>
      );
    case "Contract":
      return (
        <>
          <Row name="Title" value={asName(asset.title)} />
          <Row name="Version" value={asName(asset.version)} />
          <Row name="Status" value={asName(asset.status)} />
        </>
      );
  }
}

function Contact({ contact }: { contact: string }) {
  const mail = /^[^\s@<>]+@[^\s@<>]+\.[^\s@<>,]+$/.test(contact) ? `mailto:${contact}` : contact;
  return (
    <OuterLink url={mail}>
      <Name text={contact} />
    </OuterLink>
  );
}

/** The words of a change of exactly this asset: by its name, or by its id if the name cannot be a word. */
function buildDrop(asset: Asset): string {
  const name = /^[\x21-\x7e]+$/.test(asset.qualifiedName) && !/["'`;,()]/.test(asset.qualifiedName) ? asset.qualifiedName : asset.id;
  return asset.kind === "COLUMN" ? `drop ${name}` : `drop table ${name}`;
}

function ImpactCard({ asset }: { asset: Asset }) {
  const asOf = usePast();
  const query = usePastQuery(ImpactSummary, { of: [asset.id] });
  const changes = asset.kind === "COLUMN" || asset.kind === "DATASET";
  return (
    <section className="card" aria-labelledby="breaks">
      <h2 id="breaks">What breaks if it changes</h2>
      <Answered query={query}>
        {({ impact }) => {
          const consumers = impact.notify.filter((one) => one.reason === "CONSUMES").length;
          const owners = impact.notify.length - consumers;
          return (
            <>
              <p>
                {impact.total === 0 ? (
                  "Nothing that is known depends on it."
                ) : (
                  <>
                    <span className="strong">{count(impact.total, "asset", "assets")}</span> may break. Notify{" "}
                    <span className="strong">{count(consumers, "consumer", "consumers")}</span> and{" "}
                    <span className="strong">{count(owners, "owner", "owners")}</span>
                    {impact.notify.length > 0 && (
                      <>
                        :{" "}
                        {impact.notify.slice(0, 6).map((one, index) => (
                          <Fragment key={one.recipient.id}>
                            {index > 0 && ", "}
                            <AssetLink asset={one.recipient} full={false} />
                          </Fragment>
                        ))}
                        {impact.notify.length > 6 && ` and ${formatNumber(impact.notify.length - 6)} more`}
                      </>
                    )}
                    .
                  </>
                )}
              </p>
              <CompletenessLine completeness={impact.completeness} behind={lookBehind(ImpactGap, { of: [asset.id], asOf })} />
            </>
          );
        }}
      </Answered>
      <div className="row">
        <Link href={buildHref("/impact", { of: asset.id })} className="button main-button">
          See all who break, and whose it is
        </Link>
        <Link href={buildHref("/lineage", { of: asset.id, dir: "both" })} className="button">
          Lineage
        </Link>
        <Link href={buildHref("/impact", { of: asset.id, dir: "up" })} className="button">
          Where it comes from
        </Link>
        {changes && (
          <Link href={buildHref("/change", { words: buildDrop(asset) })} className="button">
            Simulate a change
          </Link>
        )}
      </div>
    </section>
  );
}

function ImpactTab({ id }: { id: string }) {
  const asOf = usePast();
  const query = usePastQuery(ImpactSummary, { of: [id] });
  return (
    <Answered query={query}>
      {({ impact }) => (
        <>
          <p>
            {impact.byReach.map((one) => `${formatNumber(one.count)} ${one.label.toLowerCase()}`).join(", ") ||
              "Nothing that is known depends on it."}
          </p>
          <Table
            caption="Recipients to notify"
            rows={impact.notify}
            rowKey={(row) => row.recipient.id}
            columns={[
              { head: "Recipient", cell: (row) => <AssetLink asset={row.recipient} full={false} /> },
              { head: "Because it", cell: (row) => <Name text={row.why} most={300} /> },
              { head: "Certainty", cell: (row) => <ReachBadge reach={row.reach} /> },
              {
                head: "Contact",
                cell: (row) => (row.contact ? <Contact contact={row.contact} /> : <span className="soft">not known</span>),
              },
            ]}
          />
          <CompletenessLine completeness={impact.completeness} behind={lookBehind(ImpactGap, { of: [id], asOf })} />
        </>
      )}
    </Answered>
  );
}

const MOST_COLUMNS = 1000;

function ColumnTab({ id }: { id: string }) {
  const query = usePastQuery(DatasetColumns, { id, first: MOST_COLUMNS });
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
                { head: "Description", cell: (row) => <Name text={row.description ?? ""} most={200} /> },
              ]}
            />
            <ListLine shown={node.columns.nodes.length} total={node.columns.totalCount} />
            {!node.described && (
              <p className="notice warn">No source lists its columns: these are known from lineage, and there may be more.</p>
            )}
          </>
        )
      }
    </Answered>
  );
}

function NeighbourTab({ id, granularity }: { id: string; granularity: Granularity }) {
  const asOf = usePast();
  const query = usePastQuery(Neighbours, { id: [id], granularity });
  const behind = (direction: "UPSTREAM" | "DOWNSTREAM") =>
    lookBehind(LineageGap, { of: [id], direction, depth: 1, granularity, reach: "POSSIBLE", asOf, limit: 200 });
  return (
    <>
      <Answered query={query}>
        {({ into, out }) => (
          <>
            <div className="columns">
              <div className="stack">
                <Edges title="Comes from" edges={into.edges.filter((edge) => edge.to.id === id)} end={(edge) => edge.from} />
                <CompletenessLine completeness={into.completeness} behind={behind("UPSTREAM")} />
              </div>
              <div className="stack">
                <Edges title="Goes to" edges={out.edges.filter((edge) => edge.from.id === id)} end={(edge) => edge.to} />
                <CompletenessLine completeness={out.completeness} behind={behind("DOWNSTREAM")} />
              </div>
            </div>
          </>
        )}
      </Answered>
      <div className="row">
        <Link href={buildHref("/lineage", { of: id, dir: "both", g: granularity.toLowerCase() })} className="button">
          Open the whole lineage
        </Link>
      </div>
    </>
  );
}

interface EdgeLike {
  from: { id: string; kind: string; name: string; qualifiedName: string };
  to: { id: string; kind: string; name: string; qualifiedName: string };
  reach: string;
  type: string | null;
  subtype: string;
  masking: boolean;
  count: number;
  jobs: { id: string; kind: string; name: string; qualifiedName: string }[];
}

function Edges({ title, edges, end }: { title: string; edges: readonly EdgeLike[]; end: (edge: EdgeLike) => EdgeLike["from"] }) {
  return (
    <div>
      <h3>
        {title} <span className="soft">{formatNumber(edges.length)}</span>
      </h3>
      {edges.length === 0 ? (
        <p className="soft">{text.none}</p>
      ) : (
        <ul className="plain items">
          {edges.map((edge, index) => (
            <li key={index}>
              <AssetLink asset={end(edge)} /> <ReachBadge reach={edge.reach} />{" "}
              <span className="soft">
                <Name text={nameValue(edge.subtype)} />
                {edge.masking && ", masked"}
                {edge.count > 1 && `, ${count(edge.count, "flow", "flows")}`}
                {edge.jobs.length > 0 && (
                  <>
                    , by <AssetLinks assets={edge.jobs} most={3} />
                  </>
                )}
                , <Link href={buildHref("/why", { from: edge.from.id, to: edge.to.id })}>why?</Link>
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function JobTab({ id }: { id: string }) {
  const query = usePastQuery(DatasetJobs, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <div className="columns">
            <div>
              <h3>Written by</h3>
              <JobList jobs={node.writtenBy} />
            </div>
            <div>
              <h3>Read by</h3>
              <JobList jobs={node.readBy} />
            </div>
          </div>
        )
      }
    </Answered>
  );
}

function JobList({
  jobs,
}: {
  jobs: readonly { id: string; kind: string; name: string; qualifiedName: string; integration: string | null }[];
}) {
  if (jobs.length === 0) return <p className="soft">{text.none}</p>;
  return (
    <ul className="plain items">
      {jobs.map((job) => (
        <li key={job.id}>
          <AssetLink asset={job} /> {job.integration && <Badge>{<Name text={job.integration} />}</Badge>}
        </li>
      ))}
    </ul>
  );
}

function CheckTab({ id }: { id: string }) {
  const query = usePastQuery(Checks, { id });
  return (
    <Answered query={query}>
      {({ node }) => (node?.__typename === "Dataset" || node?.__typename === "Column") && <CheckTable checks={node.quality} />}
    </Answered>
  );
}

function ContractTab({ id }: { id: string }) {
  const query = usePastQuery(DatasetContracts, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <>
            <h3>Contracts</h3>
            <Contracts contracts={node.contracts} />
            <h3>Consumers</h3>
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

function Contracts({
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

function IdentityTab({ id }: { id: string }) {
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

function HistoryTab({ id }: { id: string }) {
  const query = usePastQuery(DatasetHistory, { id, first: 50 });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <>
            {node.schemaHistory.length === 0 && <p className="soft">No source has listed its columns.</p>}
            {node.schemaHistory.map((schema, index) => (
              <details key={index} open={index === 0}>
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
          </>
        )
      }
    </Answered>
  );
}

function FactTab({ id }: { id: string }) {
  const query = usePastQuery(Facts, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node && (
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
        )
      }
    </Answered>
  );
}

function ColumnUseTab({ id }: { id: string }) {
  const query = usePastQuery(ColumnUses, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Column" && (
          <>
            <h3>Use exactly this column</h3>
            <Uses uses={node.consumers} by="consumer" />
            <h3>
              Use its dataset, <AssetLink asset={node.dataset} full={false} />
            </h3>
            <Uses uses={node.dataset.consumers} by="consumer" />
            <h3>Contracts of its dataset</h3>
            <Contracts contracts={node.dataset.contracts} />
          </>
        )
      }
    </Answered>
  );
}

function ProductTab({ id }: { id: string }) {
  const query = usePastQuery(ProductDetails, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "DataProduct" && (
          <>
            <p>
              Its promises are <StandingBadge standing={node.health.state} />. Freshness:{" "}
              <StandingBadge standing={node.health.freshness.state} />
              {node.health.freshness.promised && (
                <>
                  , promised: <Name text={node.health.freshness.promised} />
                </>
              )}
              . Checks: {formatNumber(node.health.checks.passed)} passed,{" "}
              {formatNumber(node.health.checks.failed + node.health.checks.errors)} failed.
            </p>
            <Table
              caption="Freshness of the output ports"
              rows={node.health.freshness.ports}
              rowKey={(row) => row.dataset.id}
              columns={[
                { head: "Port", cell: (row) => <AssetLink asset={row.dataset} /> },
                { head: "Promise", cell: (row) => <StandingBadge standing={row.state} /> },
                { head: "Last written", cell: (row) => <When at={row.lastWritten} /> },
                { head: "Known from", cell: (row) => (row.evidence ? nameValue(row.evidence) : "") },
                { head: "Age", cell: (row) => (row.ageSeconds === null ? "" : formatSeconds(row.ageSeconds)) },
              ]}
            />
            {node.health.openFailures.length > 0 && (
              <>
                <h3>Failing checks</h3>
                <CheckTable checks={node.health.openFailures} />
              </>
            )}
            <h3>Ports</h3>
            <Table
              caption="Ports"
              rows={node.ports}
              rowKey={(_, index) => String(index)}
              columns={[
                { head: "Direction", cell: (row) => row.direction },
                { head: "Dataset", cell: (row) => <AssetLink asset={row.dataset} /> },
                {
                  head: "Contract",
                  cell: (row) => (row.contract ? <AssetLink asset={row.contract} full={false} /> : <Name text={row.contractName ?? ""} />),
                },
                { head: "Refresh", cell: (row) => <Name text={row.refresh ?? ""} /> },
                {
                  head: "Notes",
                  cell: (row) => (row.deprecated ? <Badge tone="warn">deprecated</Badge> : <Name text={row.description ?? ""} />),
                },
              ]}
            />
            <h3>Service levels</h3>
            <Table
              caption="Service levels"
              rows={node.slos}
              rowKey={(row, index) => `${row.name}:${index}`}
              columns={[
                { head: "Name", cell: (row) => <Name text={row.name} /> },
                { head: "Promise", cell: (row) => <Name text={row.text} /> },
                { head: "About", cell: (row) => <Name text={row.element ?? "all"} /> },
              ]}
            />
            <h3>Datasets</h3>
            <p>
              <AssetLinks assets={node.datasets.nodes} most={30} full />
            </p>
            <ListLine shown={node.datasets.nodes.length} total={node.datasets.totalCount} />
          </>
        )
      }
    </Answered>
  );
}

function ProductConsumerTab({ id }: { id: string }) {
  const query = useQuery(ProductConsumers, { id });
  return (
    <Answered query={query}>
      {({ consumersOf: found }) => (
        <>
          <h3>They use the product as a whole</h3>
          <Uses uses={found.directly} by="consumer" />
          <h3>They use a dataset or column of its output ports</h3>
          <Uses uses={found.throughPorts} by="consumer" />
          <h3>They use its inside, past the ports</h3>
          <Uses uses={found.inside} by="consumer" />
          <h3>They use data that is derived from it</h3>
          <Table
            caption="Consumers of derived data"
            rows={found.reached}
            rowKey={(row) => row.consumer.id}
            columns={[
              { head: "Consumer", cell: (row) => <AssetLink asset={row.consumer} full={false} /> },
              { head: "Certainty", cell: (row) => <ReachBadge reach={row.reach} masked={row.masked} /> },
              { head: "Steps", number: true, cell: (row) => formatNumber(row.distance) },
              { head: "Path", cell: (row) => <PathLine steps={row.via} /> },
            ]}
          />
          <CompletenessLine completeness={found.completeness} behind={lookBehind(ConsumersGap, { id })} />
        </>
      )}
    </Answered>
  );
}

function DependantTab({ id }: { id: string }) {
  const query = useQuery(ProductDependants, { id: [id] });
  return (
    <Answered query={query}>
      {({ productImpact }) => (
        <>
          <Table
            caption="Products that depend on it"
            rows={productImpact.products}
            rowKey={(row) => row.product.id}
            columns={[
              { head: "Product", cell: (row) => <AssetLink asset={row.product} full={false} /> },
              { head: "Certainty", cell: (row) => <ReachBadge reach={row.reach} masked={row.masked} /> },
              { head: "Steps", number: true, cell: (row) => formatNumber(row.distance) },
              { head: "Freshness promise", cell: (row) => <Name text={row.freshness.text} most={300} /> },
            ]}
          />
          <CompletenessLine completeness={productImpact.completeness} behind={lookBehind(ProductGap, { of: [id] })} />
        </>
      )}
    </Answered>
  );
}

function DomainTab({ id }: { id: string }) {
  const query = usePastQuery(DomainDetails, { id });
  return (
    <Answered query={query}>
      {({ node, coverage }) => {
        const covered = coverage.byDomain.find((one) => one.domain?.id === id)?.covered;
        return (
          node?.__typename === "Domain" && (
            <>
              {covered && (
                <p>
                  {count(covered.datasets, "dataset", "datasets")}: {formatNumber(covered.described)} described,{" "}
                  {formatNumber(covered.owned)} owned, {formatNumber(covered.withLineage)} with lineage,{" "}
                  {formatNumber(covered.withColumnLineage)} with column lineage.
                </p>
              )}
              <h3>Domains below it</h3>
              <p>
                <AssetLinks assets={node.subdomains} />
              </p>
              <h3>Products</h3>
              <Table
                caption="Products"
                rows={node.products}
                rowKey={(row) => row.id}
                columns={[
                  { head: "Product", cell: (row) => <AssetLink asset={row} full={false} /> },
                  { head: "Promises", cell: (row) => <StandingBadge standing={row.health.state} /> },
                ]}
              />
              <h3>Datasets</h3>
              <ul className="plain items">
                {node.datasets.nodes.map((one) => (
                  <li key={one.id}>
                    <AssetLink asset={one} />
                  </li>
                ))}
              </ul>
              <ListLine shown={node.datasets.nodes.length} total={node.datasets.totalCount} />
            </>
          )
        );
      }}
    </Answered>
  );
}

function JobDetailTab({ id }: { id: string }) {
  const query = usePastQuery(JobDetails, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Job" && (
          <>
            <dl>
              <dt>Reads</dt>
              <dd>
                <AssetLinks assets={node.reads} full most={30} />
              </dd>
              <dt>Writes</dt>
              <dd>
                <AssetLinks assets={node.writes} full most={30} />
              </dd>
              <dt>Part of</dt>
              <dd>
                <AssetLinks assets={node.parents} />
              </dd>
              <dt>Has parts</dt>
              <dd>
                <AssetLinks assets={node.children} most={30} />
              </dd>
            </dl>
            {node.sql === null ? (
              <p className="soft">No source states its SQL.</p>
            ) : (
              <>
                <div className="row">
                  <h3>SQL</h3>
                  <CopyButton content={node.sql} />
                </div>
                <pre>
                  <Prose text={node.sql} />
                </pre>
              </>
            )}
          </>
        )
      }
    </Answered>
  );
}

function OwnerTab({ id }: { id: string }) {
  const query = usePastQuery(OwnerDetails, { id, kinds: ["DOMAIN", "DATA_PRODUCT", "DATASET", "CONTRACT", "CONSUMER", "JOB"], first: 500 });
  return (
    <Answered query={query}>
      {({ ownedBy }) => (
        <>
          <Table
            caption="Assets that it owns"
            rows={ownedBy.nodes}
            rowKey={(row) => row.id}
            columns={[
              { head: "Kind", cell: (row) => nameKind(row.kind) },
              { head: "Asset", cell: (row) => <AssetLink asset={row} /> },
            ]}
          />
          <ListLine shown={ownedBy.nodes.length} total={ownedBy.totalCount} />
        </>
      )}
    </Answered>
  );
}

function ConsumerTab({ id }: { id: string }) {
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

function ContractDetailTab({ id }: { id: string }) {
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

const MOST_RUNS = 50;

function JobRunTab({ id }: { id: string }) {
  const query = usePastQuery(JobRuns, { id, first: MOST_RUNS });
  return (
    <Answered query={query}>
      {({ node }) => node?.__typename === "Job" && <Runs runs={node.runs.nodes} total={node.runs.totalCount} withJob={false} />}
    </Answered>
  );
}

function DatasetRunTab({ id }: { id: string }) {
  const query = usePastQuery(DatasetRuns, { id, first: MOST_RUNS });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <>
            <p>
              Last written:{" "}
              {node.lastWritten ? (
                <>
                  <When at={node.lastWritten.at} />, known from its {nameValue(node.lastWritten.evidence)}
                </>
              ) : (
                "nothing proves that it ever was"
              )}
              .
            </p>
            <h3>Runs that wrote it</h3>
            <Runs runs={node.runs.nodes} total={node.runs.totalCount} withJob />
          </>
        )
      }
    </Answered>
  );
}
