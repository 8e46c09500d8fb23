/** Lists of all assets of a kind, with filters, totals and what has no owner. */
import type { FormEvent, ReactNode } from "react";
import { AssetChoice } from "../choices";
import { type Operation, sendOperation } from "../client";
import { type FileColumn, SaveRows } from "../list-file";
import { buildHref, buildRunHref, changeHref, navigate, type Place, readChoice, usePlace } from "../location";
import { capitalize, count, countKind, formatNumber, nameKinds, nameValue, RUN_STATES } from "../messages";
import { PageLine, usePages } from "../paging";
import {
  Answered,
  AssetLink,
  AssetLinks,
  Badge,
  Link,
  Name,
  OwnerLinks,
  type OwnershipLike,
  StandingBadge,
  Table,
  type TableColumn,
  When,
} from "../parts";
import { usePast, usePastQuery } from "../past";
import { NamespacesList, TagsList } from "../queries/choices";
import {
  type AssetFilter,
  ConsumersList,
  ContractsList,
  DatasetsList,
  DomainsList,
  JobsList,
  type ListOrder,
  OrphansList,
  OwnersList,
  ProductsList,
  type RunState as RunStateName,
  type Standing,
} from "../queries/lists";
import { useTitle } from "../title";
import { RunState } from "./run-table";

interface Row {
  id: string;
  kind: string;
  name: string;
  qualifiedName: string;
  domain: { id: string; kind: string; name: string; qualifiedName: string } | null;
  owners: OwnershipLike[];
}

interface ListAnswer<One extends Row> {
  list: { totalCount: number; nodes: One[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
}

interface CountAnswer<One> {
  list: { totalCount: number; nodes: readonly One[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
}

interface ListVariables {
  filter?: AssetFilter | null | undefined;
  order: ListOrder;
  first: number;
  after?: string | null | undefined;
  asOf?: string | null | undefined;
  health?: readonly Standing[] | null | undefined;
  lastRun?: readonly RunStateName[] | null | undefined;
}

const STANDINGS = ["BROKEN", "UNKNOWN", "KEPT"] as const satisfies readonly Standing[];
const STATES = ["FAIL", "ABORT", "RUNNING", "COMPLETE"] as const satisfies readonly RunStateName[];

const ORDER_NAMES: Record<ListOrder, string> = {
  NAME: "name",
  LAST_OBSERVED: "last stated, the newest first",
  DEPENDANTS: "most dependants",
  HEALTH: "health, broken ones first",
};

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

/** The orders of a list; only products have a health. */
function listOrders(kind: string): readonly ListOrder[] {
  return kind === "DATA_PRODUCT" ? ["NAME", "LAST_OBSERVED", "DEPENDANTS", "HEALTH"] : ["NAME", "LAST_OBSERVED", "DEPENDANTS"];
}

function readStanding(search: URLSearchParams): Standing | null {
  const given = search.get("health")?.toUpperCase();
  return STANDINGS.find((one) => one === given) ?? null;
}

function readState(search: URLSearchParams): RunStateName | null {
  const given = search.get("lastRun")?.toUpperCase();
  return STATES.find((one) => one === given) ?? null;
}

function ListPage<One extends Row>({
  kind,
  operation,
  columns,
  fileColumns,
  further = {},
  note,
}: {
  kind: string;
  operation: Operation<ListAnswer<One>, ListVariables>;
  columns: readonly TableColumn<One>[];
  /** What a file has of each besides what it has of every asset. */
  fileColumns?: readonly FileColumn<One>[];
  /** Filters that only this kind has. */
  further?: Pick<ListVariables, "health" | "lastRun">;
  note?: ReactNode;
}) {
  const place = usePlace();
  const asOf = usePast();
  const title = capitalize(nameKinds(kind));
  useTitle(title);
  const filter = readFilter(place.search, kind);
  const order = readChoice(place.search, "order", listOrders(kind), "NAME");
  const key = JSON.stringify([filter, order, further]);
  const pages = usePages(key);
  const orphans = place.search.get("owned") === "no";
  const asked = { filter, order, ...further };
  const query = usePastQuery(operation, orphans ? null : { ...asked, first: pages.first, after: pages.after });
  return (
    <>
      <h1 tabIndex={-1}>{orphans ? `${title} without an owner` : title}</h1>
      <FilterForm place={place} kind={kind} />
      {orphans ? (
        <Orphans kind={kind} />
      ) : (
        <Answered query={query}>
          {({ list }) => (
            <section className="card" aria-label={title}>
              <div className="row">
                <p role="status">{countKind(kind, list.totalCount)}</p>
                <SaveRows
                  name={nameKinds(kind)}
                  columns={buildColumns(fileColumns)}
                  read={async (part) => (await sendOperation(operation, { ...asked, ...part, asOf })).list}
                />
              </div>
              {note}
              <Table
                caption={title}
                rows={list.nodes}
                rowKey={(row) => row.id}
                columns={[
                  { head: "Name", cell: (row) => <AssetLink asset={row} /> },
                  ...(kind === "DOMAIN" || kind === "OWNER"
                    ? []
                    : [
                        {
                          head: "Domain",
                          cell: (row: One) => row.domain && <AssetLink asset={row.domain} full={false} />,
                          has: (row: One) => row.domain !== null,
                        },
                      ]),
                  ...columns,
                  ...(kind === "OWNER" ? [] : [{ head: "Owner", cell: (row: One) => <OwnerLinks owners={row.owners} /> }]),
                ]}
              />
              <PageLine pages={pages} list={list} />
            </section>
          )}
        </Answered>
      )}
    </>
  );
}

function buildColumns<One extends Row>(more: readonly FileColumn<One>[] = []): readonly FileColumn<One>[] {
  return [
    ["kind", (row) => row.kind.toLowerCase()],
    ["name", (row) => row.qualifiedName],
    ["domain", (row) => row.domain?.name],
    ["owners", (row) => row.owners.map((one) => one.owner.name).join("; ")],
    ["id", (row) => row.id],
    ...more,
  ];
}

function FilterForm({ place, kind }: { place: Place; kind: string }) {
  const asOf = usePast();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    navigate(changeHref(place, { ...given, order: given.order === "name" ? null : given.order }));
  };
  const value = (name: string) => place.search.get(name) ?? "";
  return (
    <form className="row row-end" onSubmit={submit} key={place.search.toString()}>
      <label className="field">
        <span>Name contains</span>
        <input name="text" defaultValue={value("text")} />
      </label>
      {kind !== "DOMAIN" && kind !== "OWNER" && <AssetChoice kind="domain" label="Domain" value={value("domain")} asOf={asOf} />}
      {kind !== "OWNER" && <AssetChoice kind="owner" label="Owner" value={value("owner")} asOf={asOf} />}
      {(kind === "DATASET" || kind === "JOB") && <AssetChoice kind="namespace" label="Namespace" value={value("namespace")} asOf={asOf} />}
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
      {kind === "JOB" && asOf === null && (
        <label className="field">
          <span>Last run</span>
          <select name="lastRun" defaultValue={readState(place.search)?.toLowerCase() ?? ""}>
            <option value="">any or none</option>
            {STATES.map((one) => (
              <option key={one} value={one.toLowerCase()}>
                {RUN_STATES[one]?.name}
              </option>
            ))}
          </select>
        </label>
      )}
      {kind === "DATA_PRODUCT" && (
        <label className="field">
          <span>Promises</span>
          <select name="health" defaultValue={readStanding(place.search)?.toLowerCase() ?? ""}>
            <option value="">kept or not</option>
            {STANDINGS.map((one) => (
              <option key={one} value={one.toLowerCase()}>
                {one.toLowerCase()}
              </option>
            ))}
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
      <label className="field">
        <span>Order by</span>
        <select name="order" defaultValue={readChoice(place.search, "order", listOrders(kind), "NAME").toLowerCase()}>
          {listOrders(kind).map((one) => (
            <option key={one} value={one.toLowerCase()}>
              {ORDER_NAMES[one]}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" className="main-button">
        Filter
      </button>
      {[...place.search.keys()].some((name) => name !== "asOf") && (
        <Link href={place.path} className="button">
          Show all
        </Link>
      )}
    </form>
  );
}

function Orphans({ kind }: { kind: string }) {
  const asOf = usePast();
  const pages = usePages(kind);
  const query = usePastQuery(OrphansList, { kinds: [kind as "DATASET"], first: pages.first, after: pages.after });
  return (
    <Answered query={query}>
      {({ list }) => (
        <section className="card" aria-label="Without an owner">
          <div className="row">
            <p role="status">{countKind(kind, list.totalCount)} without an owner at any level. Other filters do not apply here.</p>
            <SaveRows
              name={`${nameKinds(kind)} without an owner`}
              columns={buildColumns()}
              read={async (part) => (await sendOperation(OrphansList, { kinds: [kind as "DATASET"], ...part, asOf })).list}
            />
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
          <PageLine pages={pages} list={list} />
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
      { head: "Type", cell: (row) => <Name text={row.ownerType ?? ""} />, has: (row) => Boolean(row.ownerType) },
      { head: "Contact", cell: (row) => (row.contact ? <Name text={row.contact} /> : <span className="soft">not known</span>) },
    ]}
  />
);

export function Products() {
  const health = readStanding(usePlace().search);
  return (
    <ListPage
      kind="DATA_PRODUCT"
      operation={ProductsList}
      further={health ? { health: [health] } : {}}
      columns={[
        { head: "Promises", cell: (row) => <StandingBadge standing={row.health.state} /> },
        { head: "Status", cell: (row) => <Name text={row.status ?? ""} />, has: (row) => Boolean(row.status) },
      ]}
      fileColumns={[["health", (row) => row.health.state.toLowerCase()]]}
    />
  );
}

export const Datasets = () => (
  <ListPage
    kind="DATASET"
    operation={DatasetsList}
    columns={[
      { head: "Type", cell: (row) => <Name text={row.datasetType ?? ""} />, has: (row) => Boolean(row.datasetType) },
      { head: "Columns", cell: (row) => (row.described ? "listed" : <Badge tone="warn">not listed</Badge>) },
      {
        head: "Last written",
        cell: (row) =>
          row.lastWritten && (
            <>
              <When at={row.lastWritten.at} />
              {row.lastWritten.evidence !== "RUN" && <span className="soft"> by its {nameValue(row.lastWritten.evidence)}</span>}
            </>
          ),
      },
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

export function Jobs() {
  const past = usePast() !== null;
  const state = readState(usePlace().search);
  return (
    <ListPage
      kind="JOB"
      operation={JobsList}
      further={state && !past ? { lastRun: [state] } : {}}
      note={
        past && (
          <p className={state ? "notice warn" : "soft"}>
            The last runs are not shown{state && ", and these are the jobs with any last run"}: they cannot be asked for an earlier time.
          </p>
        )
      }
      columns={[
        { head: "Integration", cell: (row) => <Name text={row.integration ?? ""} /> },
        { head: "Processing", cell: (row) => <Name text={row.processingType ?? ""} />, has: (row) => Boolean(row.processingType) },
        {
          head: "Last run",
          cell: (row) =>
            !past &&
            row.lastRun && (
              <>
                <Link
                  href={buildRunHref(row.lastRun.id)}
                  label={`Last run of ${row.name}: ${RUN_STATES[row.lastRun.state]?.name ?? row.lastRun.state}`}
                >
                  <RunState state={row.lastRun.state} />
                </Link>{" "}
                <When at={row.lastRun.startedAt} />
              </>
            ),
        },
      ]}
      fileColumns={
        past
          ? []
          : [
              ["last run", (row) => row.lastRun && (RUN_STATES[row.lastRun.state]?.name ?? row.lastRun.state)],
              ["last run started", (row) => row.lastRun?.startedAt],
            ]
      }
    />
  );
}

export const Consumers = () => (
  <ListPage
    kind="CONSUMER"
    operation={ConsumersList}
    columns={[
      { head: "Type", cell: (row) => <Name text={row.consumerType ?? ""} />, has: (row) => Boolean(row.consumerType) },
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
      { head: "Status", cell: (row) => <Name text={row.status ?? ""} />, has: (row) => Boolean(row.status) },
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

/** A list that is no list of assets; each entry leads to the assets behind it. */
function CountPage<One>({
  title,
  nouns,
  operation,
  rowKey,
  columns,
  fileColumns,
}: {
  title: string;
  nouns: readonly [one: string, many: string];
  operation: Operation<CountAnswer<One>, Omit<ListVariables, "order">>;
  rowKey: (row: One) => string;
  columns: readonly TableColumn<One>[];
  fileColumns: readonly FileColumn<One>[];
}) {
  useTitle(title);
  const asOf = usePast();
  const pages = usePages();
  const query = usePastQuery(operation, { first: pages.first, after: pages.after });
  return (
    <>
      <h1 tabIndex={-1}>{title}</h1>
      <Answered query={query}>
        {({ list }) => (
          <>
            <div className="row">
              <p role="status">{count(list.totalCount, ...nouns)}.</p>
              <SaveRows
                name={nouns[1]}
                columns={fileColumns}
                read={async (part) => (await sendOperation(operation, { ...part, asOf })).list}
              />
            </div>
            <section className="card" aria-label={title}>
              <Table caption={title} rows={list.nodes} rowKey={rowKey} columns={columns} />
              <PageLine pages={pages} list={list} />
            </section>
          </>
        )}
      </Answered>
    </>
  );
}

export const Tags = () => (
  <CountPage
    title="Tags"
    fileColumns={[
      ["key", (row) => row.key],
      ["value", (row) => row.value],
      ["assets", (row) => row.assets],
    ]}
    nouns={["tag", "tags"]}
    operation={TagsList}
    rowKey={(row) => JSON.stringify([row.key, row.value])}
    columns={[
      {
        head: "Tag",
        cell: (row) => {
          const name = row.value ? `${row.key}=${row.value}` : row.key;
          return (
            <Link href={buildHref("/search", { tag: name })}>
              <Name text={name} />
            </Link>
          );
        },
      },
      { head: "Assets", number: true, cell: (row) => formatNumber(row.assets) },
    ]}
  />
);

export const Namespaces = () => (
  <CountPage
    title="Namespaces"
    fileColumns={[
      ["namespace", (row) => row.name],
      ["datasets", (row) => row.datasets],
      ["jobs", (row) => row.jobs],
    ]}
    nouns={["namespace", "namespaces"]}
    operation={NamespacesList}
    rowKey={(row) => row.name}
    columns={[
      { head: "Namespace", cell: (row) => <Name text={row.name} /> },
      {
        head: "Datasets",
        number: true,
        cell: (row) => <Counted path="/datasets" namespace={row.name} value={row.datasets} />,
      },
      { head: "Jobs", number: true, cell: (row) => <Counted path="/jobs" namespace={row.name} value={row.jobs} /> },
    ]}
  />
);

function Counted({ path, namespace, value }: { path: string; namespace: string; value: number }) {
  if (value === 0) return <>0</>;
  return (
    <Link href={buildHref(path, { namespace })} label={`${formatNumber(value)} in ${namespace}`}>
      {formatNumber(value)}
    </Link>
  );
}
