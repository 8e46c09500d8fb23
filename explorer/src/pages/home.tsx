/** The first page: search, the health of the mesh, and its domains with what flows between them. */
import { useState } from "react";
import { useQuery } from "../client";
import { SearchField } from "../combobox";
import { CompletenessLine, lookBehind } from "../completeness";
import { buildAssetHref, buildHref } from "../location";
import { count, formatNumber, formatRatio, nameKinds, text } from "../messages";
import { Answered, AssetLink, AssetLinks, Badge, Link, Name, ReachBadge } from "../parts";
import { LineageGap } from "../queries/completeness";
import { About, DomainMap, FailedJobs, type HomeAnswer, Home as HomeQuery, MeshState, ProductsHealth } from "../queries/home";
import { useTitle } from "../title";

export function Home() {
  useTitle("");
  const about = useQuery(About, {});
  const home = useQuery(HomeQuery, {});
  return (
    <>
      <div className="head">
        <h1 tabIndex={-1}>{text.tagline}</h1>
        <SearchField large autoFocus label="Find what you want to change" />
        <p className="soft">
          Open a column or a table to see what depends on it and who owns that. Or describe a change and{" "}
          <Link href="/change">check whether it may ship</Link>.
        </p>
        {about.data && (
          <p>
            {about.data.about.assets
              .filter((one) => KIND_PATHS[one.kind])
              .map((one, index) => (
                <span key={one.kind}>
                  {index > 0 && " · "}
                  <Link href={KIND_PATHS[one.kind] ?? "/"}>
                    {formatNumber(one.count)} {nameKinds(one.kind)}
                  </Link>
                </span>
              ))}
          </p>
        )}
        {about.data?.about.restricted && <p className="soft">{text.restricted}</p>}
      </div>
      <Answered query={home}>
        {(data) => (
          <>
            <Health data={data} jobs={about.data?.about.assets.find((one) => one.kind === "JOB")?.count ?? null} />
            <Domains data={data} columns={about.data?.about.assets.find((one) => one.kind === "COLUMN")?.count ?? null} />
          </>
        )}
      </Answered>
    </>
  );
}

const KIND_PATHS: Record<string, string> = {
  DOMAIN: "/domains",
  DATA_PRODUCT: "/products",
  DATASET: "/datasets",
  JOB: "/jobs",
  CONSUMER: "/consumers",
  OWNER: "/owners",
  CONTRACT: "/contracts",
};

function Tile({ href, value, label, tone }: { href: string; value: string; label: string; tone: "good" | "bad" | "warn" | "" }) {
  const word = { good: "in order", bad: "look at it", warn: "look at it", "": "" }[tone];
  return (
    <li>
      <Link href={href} className="tile">
        <b>{value}</b> {label}
        <span className="hidden-text">:</span> {word && <Badge tone={tone}>{word}</Badge>}
      </Link>
    </li>
  );
}

/** Above this the server reads their last runs for most of a second, in which it answers nothing else. */
const MANY_JOBS = 10_000;

function Health({ data, jobs }: { data: HomeAnswer; jobs: number | null }) {
  const { total, orphans } = data.coverage;
  const products = useQuery(ProductsHealth, {});
  const counted = jobs !== null && jobs > 0 && jobs <= MANY_JOBS;
  const failing = useQuery(FailedJobs, counted ? {} : null).data?.jobs.totalCount;
  const broken = products.data?.broken.totalCount;
  const unknown = products.data?.unknown.totalCount;
  const failures = data.qualityFailures.totalCount;
  const state = useQuery(MeshState, {}); // of the whole mesh: some callers may not ask for it
  const violations = state.data?.policyViolations.totalCount;
  const conflicts = state.data?.identityConflicts.totalCount;
  const sources = state.data?.sources;
  const failed = sources?.filter((one) => one.lastSync && one.lastSync.error !== null).length;
  return (
    <section aria-labelledby="health" className="stack">
      <h2 id="health">Health</h2>
      <ul className="plain tiles">
        <Tile
          href="/datasets?described=no"
          value={formatRatio(total.described, total.datasets)}
          label="of the datasets have their columns listed"
          tone={total.described === total.datasets ? "good" : ""}
        />
        <Tile
          href="/datasets?owned=no"
          value={formatNumber(orphans)}
          label={orphans === 1 ? "dataset without an owner" : "datasets without an owner"}
          tone={orphans === 0 ? "good" : "warn"}
        />
        <Tile
          href="/products?health=broken"
          value={broken === undefined ? "…" : formatNumber(broken)}
          label={`${broken === 1 ? "product" : "products"} with broken promises${unknown ? `, ${formatNumber(unknown)} unknown` : ""}`}
          tone={broken === undefined ? "" : broken > 0 ? "bad" : "good"}
        />
        <Tile
          href="/quality"
          value={formatNumber(failures)}
          label={failures === 1 ? "failing check" : "failing checks"}
          tone={failures > 0 ? "bad" : "good"}
        />
        {counted && (
          <Tile
            href="/jobs?lastRun=fail"
            value={failing === undefined ? "…" : formatNumber(failing)}
            label={failing === 1 ? "job whose last run failed" : "jobs whose last run failed"}
            tone={failing === undefined ? "" : failing > 0 ? "bad" : "good"}
          />
        )}
        {!state.error && (
          <>
            <Tile
              href="/policies"
              value={violations === undefined ? "…" : formatNumber(violations)}
              label={violations === 1 ? "violation of a policy" : "violations of policies"}
              tone={violations === undefined ? "" : violations > 0 ? "bad" : "good"}
            />
            <Tile
              href="/sources"
              value={failed === undefined ? "…" : formatNumber(failed)}
              label={`of ${count(sources?.length ?? 0, "source", "sources")} could not be read`}
              tone={failed === undefined ? "" : failed > 0 ? "bad" : "good"}
            />
            <Tile
              href="/identity"
              value={conflicts === undefined ? "…" : formatNumber(conflicts)}
              label={conflicts === 1 ? "doubtful identity" : "doubtful identities"}
              tone={conflicts === undefined ? "" : conflicts > 0 ? "warn" : "good"}
            />
          </>
        )}
      </ul>
      {state.error && <p className="soft">The state of policies, sources and identities is not shown: {state.error.message}.</p>}
    </section>
  );
}

/** Above this the flows between domains cost the server seconds, in which it suggests no names: then they are asked for by a button. */
const LARGE = 100_000;

function Domains({ data, columns }: { data: HomeAnswer; columns: number | null }) {
  const domains = data.domains.nodes;
  const [wanted, setWanted] = useState(false);
  const shown = wanted || (columns !== null && columns <= LARGE);
  const map = useQuery(DomainMap, shown && domains.length > 0 ? { of: domains.map((one) => one.id) } : null);
  const covered = new Map(data.coverage.byDomain.map((one) => [one.domain?.id ?? "", one.covered]));
  const flows = new Map<string, NonNullable<typeof map.data>["lineage"]["edges"]>();
  for (const edge of map.data?.lineage.edges ?? []) {
    if (edge.from.id !== edge.to.id) flows.set(edge.from.id, [...(flows.get(edge.from.id) ?? []), edge]);
  }
  const rest = covered.get("");
  return (
    <section aria-labelledby="domains" className="stack">
      <div className="row">
        <h2 id="domains">Domains</h2>
        {domains.length > 0 && (
          <Link href={buildHref("/lineage", { of: domains.map((one) => one.id), g: "domain", dir: "both" })}>
            See how data flows between them
          </Link>
        )}
        {domains.length > 0 && columns !== null && !shown && (
          <button type="button" onClick={() => setWanted(true)}>
            List the flows between them
          </button>
        )}
        {map.loading && <span className="busy">{text.loading}</span>}
      </div>
      {domains.length === 0 ? (
        <p className="soft">
          No source states a domain. A <code>mesh.yaml</code> does: domains, teams, products and who uses them.
        </p>
      ) : (
        <ul className="plain columns">
          {domains.map((domain) => {
            const numbers = covered.get(domain.id);
            return (
              <li key={domain.id} className="card">
                <h3>
                  <Link href={buildAssetHref(domain.id)}>
                    <Name text={domain.title ?? domain.name} />
                  </Link>
                </h3>
                {numbers && (
                  <p className="soft">
                    {count(numbers.datasets, "dataset", "datasets")}, {formatNumber(numbers.described)} with listed columns,{" "}
                    {formatNumber(numbers.owned)} owned
                  </p>
                )}
                {!numbers && domain.products.length === 0 && <p className="soft">No dataset or product of its own.</p>}
                {domain.products.length > 0 && (
                  <p>
                    Products: <AssetLinks assets={domain.products} />
                  </p>
                )}
                {(flows.get(domain.id) ?? []).length > 0 && (
                  <div>
                    <p>Its data flows to:</p>
                    <ul>
                      {flows.get(domain.id)?.map((edge) => (
                        <li key={edge.to.id}>
                          <AssetLink asset={edge.to} full={false} /> <ReachBadge reach={edge.reach} />{" "}
                          <span className="soft">{count(edge.count, "flow", "flows")}</span>
                        </li>
                      ))}
                    </ul>
                  </div>
                )}
              </li>
            );
          })}
        </ul>
      )}
      {data.domains.totalCount > domains.length && (
        <p>
          {formatNumber(domains.length)} of {formatNumber(data.domains.totalCount)} domains shown. <Link href="/domains">All domains</Link>
        </p>
      )}
      {rest && rest.datasets > 0 && <p className="soft">{count(rest.datasets, "dataset is", "datasets are")} in no domain.</p>}
      {map.data && (
        <CompletenessLine
          completeness={map.data.lineage.completeness}
          behind={lookBehind(LineageGap, {
            of: domains.map((one) => one.id),
            direction: "DOWNSTREAM",
            depth: 1,
            granularity: "DOMAIN",
            reach: "POSSIBLE",
            asOf: null,
            limit: 500,
          })}
          extra={
            map.data.lineage.ungrouped > 0
              ? [
                  {
                    short: `${count(map.data.lineage.ungrouped, "dataset", "datasets")} in no domain`,
                    long: "Data flows into them, but they belong to no domain and are not in this map.",
                  },
                ]
              : []
          }
        />
      )}
    </section>
  );
}
