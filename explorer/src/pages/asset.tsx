/** The page of one asset, of any kind: what it is, whose it is, what breaks if it changes, and everything that is stated about it. */
import { Fragment, type ReactNode } from "react";
import { changeHref, usePlace } from "../location";
import { formatNumber, nameKind, text } from "../messages";
import { Answered, AssetLink, AssetLinks, Badge, Link, Name, OwnerLinks, Prose, When } from "../parts";
import { usePast, usePastQuery } from "../past";
import { type Granularity, Head } from "../queries/asset";
import { useTitle } from "../title";
import { CheckTab, ColumnTab } from "./asset/columns";
import { ColumnUseTab, ConsumerTab, ContractDetailTab, ContractTab } from "./asset/contracts";
import { DomainTab, OwnerTab } from "./asset/groups";
import { IdentityTab } from "./asset/identity";
import { ImpactCard, ImpactTab } from "./asset/impact";
import { JobDetailTab, JobTab } from "./asset/jobs";
import { NeighbourTab } from "./asset/neighbours";
import { DependantTab, ProductConsumerTab, ProductTab } from "./asset/product";
import { type Asset, asName, Contact, Row } from "./asset/rows";
import { DatasetRunTab, JobRunTab } from "./asset/runs";
import { FactTab, HistoryTab } from "./asset/statements";
import { EditCard } from "./edit";
import { RunHealth } from "./run-table";

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

/** The tabs of what the caller may browse and not read: of its lineage, and of what is in it. */
const BROWSED = new Set(["impact", "lineage", "contents"]);

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
  const browsed = asset.access === "BROWSE";
  const all = [...(TABS[asset.kind] ?? [FACTS])];
  if (withImpact) all.splice(1, 0, IMPACT);
  const tabs = browsed ? all.filter((tab) => BROWSED.has(tab.key)) : all;
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
      {browsed && (
        <p className="notice warn">
          {text.browsed} {asset.owners.length > 0 && <OwnerLinks owners={asset.owners} />}
        </p>
      )}
      {withImpact && <ImpactCard asset={asset} />}
      <section className="card" aria-labelledby="about">
        <h2 id="about">About it</h2>
        <dl>
          {asset.kind !== "OWNER" && (
            <>
              <dt>Owners</dt>
              <dd>
                <OwnerLinks owners={asset.owners} detailed />
              </dd>
            </>
          )}
          <Row name="Domain" value={asset.domain && <AssetLink asset={asset.domain} />} />
          <Row name="Product" value={asset.product && <AssetLink asset={asset.product} />} />
          {!browsed && <KindRows asset={asset} />}
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
          {!browsed && (
            <>
              <dt>Last stated</dt>
              <dd>
                <When at={asset.lastObserved} />
              </dd>
            </>
          )}
        </dl>
      </section>
      {asOf === null && !browsed && <EditCard asset={asset} />}
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
