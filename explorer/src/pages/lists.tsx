/** Lists of all assets of a kind, with filters, totals and what has no owner. */
import { type FormEvent, type ReactNode, useState } from "react";
import { AssetChoice } from "../choices";
import { type Operation, useQuery } from "../client";
import { buildCsv, saveFile } from "../files";
import { changeHref, navigate, type Place, usePlace } from "../location";
import { capitalize, countKind, formatNumber, nameKinds, text } from "../messages";
import {
  Answered,
  AssetLink,
  AssetLinks,
  Badge,
  Link,
  ListLine,
  Name,
  OwnerLinks,
  type OwnershipLike,
  StandingBadge,
  Table,
  type TableColumn,
} from "../parts";
import {
  type AssetFilter,
  ConsumersList,
  ContractsList,
  DatasetsList,
  DomainsList,
  JobsList,
  OrphansList,
  OwnersList,
  ProductsList,
} from "../queries/lists";
import { useTitle } from "../title";

const PAGE = 100;
const MOST = 1000;

interface Row {
  id: string;
  kind: string;
  name: string;
  qualifiedName: string;
  domain: { id: string; kind: string; name: string; qualifiedName: string } | null;
  owners: OwnershipLike[];
}

interface ListAnswer<One extends Row> {
  list: { totalCount: number; nodes: One[]; pageInfo: { hasNextPage: boolean } };
}

interface ListVariables {
  filter?: AssetFilter | null | undefined;
  first: number;
}

function readFilter(search: URLSearchParams, kind: string): AssetFilter {
  const described = search.get("described");
  return {
    text: search.get("text"),
    namespace: search.get("namespace"),
    domain: search.get("domain"),
    owner: search.get("owner"),
    ...(kind === "DATASET" && described ? { described: described === "yes" } : {}),
  };
}

function ListPage<One extends Row>({
  kind,
  operation,
  columns,
  keep = () => true,
  note,
}: {
  kind: string;
  operation: Operation<ListAnswer<One>, ListVariables>;
  columns: readonly TableColumn<One>[];
  /** A filter that the server does not have; what it leaves out is counted. */
  keep?: (row: One) => boolean;
  note?: ReactNode;
}) {
  const place = usePlace();
  const title = capitalize(nameKinds(kind));
  useTitle(title);
  const filter = readFilter(place.search, kind);
  const key = JSON.stringify(filter);
  const [size, setSize] = useState({ key, first: PAGE });
  const first = size.key === key ? size.first : PAGE;
  const orphans = place.search.get("owned") === "no";
  const query = useQuery(operation, orphans ? null : { filter, first });
  return (
    <>
      <h1 tabIndex={-1}>{orphans ? `${title} without an owner` : title}</h1>
      <FilterForm place={place} kind={kind} />
      {orphans ? (
        <Orphans kind={kind} />
      ) : (
        <Answered query={query}>
          {({ list }) => {
            const rows = list.nodes.filter(keep);
            return (
              <section className="card" aria-label={title}>
                <div className="row">
                  <p role="status">{countKind(kind, list.totalCount)}</p>
                  <button type="button" onClick={() => saveRows(kind, rows)}>
                    {text.csv}
                  </button>
                </div>
                {note}
                <Table
                  caption={title}
                  rows={rows}
                  rowKey={(row) => row.id}
                  columns={[
                    { head: "Name", cell: (row) => <AssetLink asset={row} /> },
                    ...(kind === "DOMAIN" || kind === "OWNER"
                      ? []
                      : [{ head: "Domain", cell: (row: One) => row.domain && <AssetLink asset={row.domain} full={false} /> }]),
                    ...columns,
                    ...(kind === "OWNER" ? [] : [{ head: "Owner", cell: (row: One) => <OwnerLinks owners={row.owners} /> }]),
                  ]}
                />
                {rows.length < list.nodes.length && (
                  <p className="soft">{formatNumber(list.nodes.length - rows.length)} left out by the filter of this page.</p>
                )}
                <ListLine shown={list.nodes.length} total={list.totalCount} />
                {list.pageInfo.hasNextPage && first < MOST && (
                  <div>
                    <button type="button" onClick={() => setSize({ key, first: MOST })}>
                      {text.more}
                    </button>
                  </div>
                )}
              </section>
            );
          }}
        </Answered>
      )}
    </>
  );
}

function saveRows(kind: string, rows: readonly Row[]): void {
  saveFile(
    `${nameKinds(kind)}.csv`,
    "text/csv;charset=utf-8",
    `\uFEFF${buildCsv([
      ["kind", "name", "domain", "owners", "id"],
      ...rows.map((row) => [
        row.kind.toLowerCase(),
        row.qualifiedName,
        row.domain?.name ?? "",
        row.owners.map((one) => one.owner.name).join("; "),
        row.id,
      ]),
    ])}`,
  );
}

function FilterForm({ place, kind }: { place: Place; kind: string }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    navigate(changeHref(place, given));
  };
  const value = (name: string) => place.search.get(name) ?? "";
  return (
    <form className="row row-end" onSubmit={submit} key={place.search.toString()}>
      <label className="field">
        <span>Name contains</span>
        <input name="text" defaultValue={value("text")} />
      </label>
      {kind !== "DOMAIN" && kind !== "OWNER" && <AssetChoice kind="domain" label="Domain" value={value("domain")} />}
      {kind !== "OWNER" && <AssetChoice kind="owner" label="Owner" value={value("owner")} />}
      {kind === "DATASET" && (
        <label className="field">
          <span>Columns</span>
          <select name="described" defaultValue={value("described")}>
            <option value="">listed or not</option>
            <option value="yes">listed by a source</option>
            <option value="no">listed by no source</option>
          </select>
        </label>
      )}
      {kind !== "OWNER" && (
        <label className="field">
          <span>Ownership</span>
          <select name="owned" defaultValue={value("owned")}>
            <option value="">with or without owner</option>
            <option value="no">without an owner</option>
          </select>
        </label>
      )}
      <button type="submit" className="main-button">
        Filter
      </button>
      {place.search.size > 0 && (
        <Link href={place.path} className="button">
          Show all
        </Link>
      )}
    </form>
  );
}

function Orphans({ kind }: { kind: string }) {
  const [first, setFirst] = useState(PAGE);
  const query = useQuery(OrphansList, { kinds: [kind as "DATASET"], first });
  return (
    <Answered query={query}>
      {({ list }) => (
        <section className="card" aria-label="Without an owner">
          <div className="row">
            <p role="status">{countKind(kind, list.totalCount)} without an owner at any level. Other filters do not apply here.</p>
            <button type="button" onClick={() => saveRows(kind, list.nodes)}>
              {text.csv}
            </button>
          </div>
          <Table
            caption="Without an owner"
            rows={list.nodes}
            rowKey={(row) => row.id}
            columns={[
              { head: "Name", cell: (row) => <AssetLink asset={row} /> },
              { head: "Domain", cell: (row) => row.domain && <AssetLink asset={row.domain} full={false} /> },
            ]}
          />
          <ListLine shown={list.nodes.length} total={list.totalCount} />
          {list.pageInfo.hasNextPage && first < MOST && (
            <div>
              <button type="button" onClick={() => setFirst(MOST)}>
                {text.more}
              </button>
            </div>
          )}
        </section>
      )}
    </Answered>
  );
}

export const Owners = () => (
  <ListPage
    kind="OWNER"
    operation={OwnersList}
    note={
      <p>
        Without an owner: <Link href="/datasets?owned=no">datasets</Link>, <Link href="/products?owned=no">products</Link>,{" "}
        <Link href="/jobs?owned=no">jobs</Link>.
      </p>
    }
    columns={[
      { head: "Type", cell: (row) => <Name text={row.ownerType ?? ""} /> },
      { head: "Contact", cell: (row) => (row.contact ? <Name text={row.contact} /> : <span className="soft">not known</span>) },
    ]}
  />
);

export function Products() {
  const health = usePlace().search.get("health")?.toUpperCase();
  return (
    <ListPage
      kind="DATA_PRODUCT"
      operation={ProductsList}
      keep={(row) => !health || row.health.state === health}
      note={health ? <p>Only products whose promises are: {health.toLowerCase()}.</p> : undefined}
      columns={[
        { head: "Promises", cell: (row) => <StandingBadge standing={row.health.state} /> },
        { head: "Status", cell: (row) => <Name text={row.status ?? ""} /> },
      ]}
    />
  );
}

export const Datasets = () => (
  <ListPage
    kind="DATASET"
    operation={DatasetsList}
    columns={[
      { head: "Type", cell: (row) => <Name text={row.datasetType ?? ""} /> },
      { head: "Columns", cell: (row) => (row.described ? "listed" : <Badge tone="warn">not listed</Badge>) },
      {
        head: "Checks",
        cell: (row) =>
          row.qualityCounts.failed + row.qualityCounts.errors > 0 ? (
            <Badge tone="bad">{formatNumber(row.qualityCounts.failed + row.qualityCounts.errors)} failing</Badge>
          ) : (
            row.qualityCounts.passed > 0 && `${formatNumber(row.qualityCounts.passed)} passed`
          ),
      },
    ]}
  />
);

export const Jobs = () => (
  <ListPage
    kind="JOB"
    operation={JobsList}
    columns={[
      { head: "Integration", cell: (row) => <Name text={row.integration ?? ""} /> },
      { head: "Processing", cell: (row) => <Name text={row.processingType ?? ""} /> },
    ]}
  />
);

export const Consumers = () => (
  <ListPage
    kind="CONSUMER"
    operation={ConsumersList}
    columns={[
      { head: "Type", cell: (row) => <Name text={row.consumerType ?? ""} /> },
      { head: "Uses", cell: (row) => <AssetLinks assets={row.consumes.map((one) => one.asset)} most={4} /> },
    ]}
  />
);

export const Contracts = () => (
  <ListPage
    kind="CONTRACT"
    operation={ContractsList}
    columns={[
      { head: "Version", cell: (row) => <Name text={row.version ?? ""} /> },
      { head: "Status", cell: (row) => <Name text={row.status ?? ""} /> },
      { head: "Governs", cell: (row) => <AssetLinks assets={row.governs} most={4} /> },
    ]}
  />
);

export const Domains = () => (
  <ListPage
    kind="DOMAIN"
    operation={DomainsList}
    columns={[{ head: "Products", cell: (row) => <AssetLinks assets={row.products} most={6} /> }]}
  />
);
