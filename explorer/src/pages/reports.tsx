/** What fails, which policies are violated, who states what, which identities are doubtful, and who did what. */
import type { ReactNode } from "react";
import { AssetChoice } from "../choices";
import { useQuery } from "../client";
import { changeHref, navigate, readChoice, usePlace } from "../location";
import { CONFLICTS, count, formatNumber, formatRatio, formatSeconds, nameValue, OUTCOMES, text } from "../messages";
import { PageLine, usePages } from "../paging";
import { Answered, AssetLinks, Badge, Link, Name, Prose, Table, Value, When } from "../parts";
import { Audit, IdentityConflicts, Policies, Quality, type Severity, Sources, Violations } from "../queries/reports";
import { useTitle } from "../title";
import { CheckTable } from "./check-table";
import { NamingRules } from "./naming_rules";
import { ViolationList } from "./violations";

function Choice({ label, name, value, children }: { label: string; name: string; value: string; children: ReactNode }) {
  const place = usePlace();
  return (
    <label className="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => navigate(changeHref(place, { [name]: event.target.value }))}>
        {children}
      </select>
    </label>
  );
}

const OUTCOME_NAMES = ["FAILED", "ERROR", "WARNED", "SKIPPED", "NOT_RUN", "PASSED"] as const;

export function QualityPage() {
  useTitle("Quality");
  const place = usePlace();
  const wanted = place.search.get("outcome");
  const outcome = OUTCOME_NAMES.find((one) => one === wanted?.toUpperCase());
  const domain = place.search.get("domain");
  const owner = place.search.get("owner");
  const pages = usePages(JSON.stringify([outcome, domain, owner]));
  const query = useQuery(Quality, { outcomes: outcome ? [outcome] : null, domain, owner, first: pages.first, after: pages.after });
  return (
    <>
      <h1 tabIndex={-1}>Quality: what fails, and since when</h1>
      <div className="row row-end">
        <Choice label="Result" name="outcome" value={outcome ?? ""}>
          <option value="">failed or error</option>
          {OUTCOME_NAMES.map((one) => (
            <option key={one} value={one}>
              {OUTCOMES[one]?.name}
            </option>
          ))}
        </Choice>
        <AssetChoice kind="domain" label="Domain" value={domain ?? ""} onChoose={(id) => navigate(changeHref(place, { domain: id }))} />
        <AssetChoice kind="owner" label="Owner" value={owner ?? ""} onChoose={(id) => navigate(changeHref(place, { owner: id }))} />
      </div>
      <Answered query={query}>
        {({ qualityFailures: found }) => (
          <section className="card" aria-label="Checks">
            <p role="status">{count(found.totalCount, "check", "checks")}.</p>
            <CheckTable checks={found.nodes} />
            <PageLine pages={pages} list={found} />
          </section>
        )}
      </Answered>
    </>
  );
}

const SEVERITIES = ["ERROR", "WARNING", "INFO"] as const satisfies readonly Severity[];
const SEVERITY_TONES = { ERROR: "bad", WARNING: "warn", INFO: "" };

export function PoliciesPage() {
  useTitle("Policies");
  const place = usePlace();
  const policy = place.search.get("policy");
  const severity = SEVERITIES.find((one) => one === place.search.get("severity")?.toUpperCase()) ?? null;
  const pages = usePages(JSON.stringify([policy, severity]));
  const policies = useQuery(Policies, {});
  const violations = useQuery(Violations, { policy, severity, first: pages.first, after: pages.after });
  return (
    <>
      <h1 tabIndex={-1}>Policies</h1>
      <Answered query={policies}>
        {({ policies: found }) => (
          <section className="card" aria-labelledby="all">
            <h2 id="all">{count(found.length, "policy", "policies")}</h2>
            <Table
              caption="Policies"
              rows={found}
              rowKey={(row) => row.id}
              columns={[
                {
                  head: "Policy",
                  cell: (row) => (
                    <>
                      <span className="strong">
                        <Name text={row.title} most={200} />
                      </span>{" "}
                      <span className="mono soft">
                        <Name text={row.id} />
                      </span>
                    </>
                  ),
                },
                { head: "About", cell: (row) => nameValue(row.kind) },
                { head: "Severity", cell: (row) => <Badge tone={SEVERITY_TONES[row.severity]}>{nameValue(row.severity)}</Badge> },
                {
                  head: "Violations",
                  number: true,
                  cell: (row) =>
                    row.off !== null ? (
                      <span>
                        off: <Name text={row.off} most={200} />
                      </span>
                    ) : row.violations > 0 ? (
                      <Link href={changeHref(place, { policy: row.id })}>{formatNumber(row.violations)}</Link>
                    ) : (
                      "0"
                    ),
                },
                {
                  head: "What it asks",
                  cell: (row) =>
                    row.documentation && (
                      <details>
                        <summary>Read</summary>
                        <Prose text={row.documentation} />
                      </details>
                    ),
                },
              ]}
            />
          </section>
        )}
      </Answered>
      <div className="row row-end">
        <Choice label="Severity" name="severity" value={severity ?? ""}>
          <option value="">all severities</option>
          {SEVERITIES.map((one) => (
            <option key={one} value={one}>
              {nameValue(one)}
            </option>
          ))}
        </Choice>
        {policy && (
          <Link href={changeHref(place, { policy: null })} className="button">
            All policies, not only <Name text={policy} />
          </Link>
        )}
      </div>
      <Answered query={violations}>
        {({ policyViolations: found }) => (
          <section className="card" aria-labelledby="violations">
            <h2 id="violations">{count(found.totalCount, "violation", "violations")}</h2>
            <ViolationList violations={found.nodes} now />
            <PageLine pages={pages} list={found} />
          </section>
        )}
      </Answered>
    </>
  );
}

export function SourcesPage() {
  useTitle("Sources");
  const query = useQuery(Sources, {});
  return (
    <>
      <h1 tabIndex={-1}>Sources: who states what</h1>
      <Answered query={query}>
        {({ sources, coverage }) => {
          const covered = new Map(coverage.bySource.map((one) => [one.source, one.covered]));
          return (
            <section className="card" aria-label="Sources">
              <p role="status">{count(sources.length, "source", "sources")}.</p>
              <p className="soft">{text.sourcesHelp}</p>
              <Table
                caption="Sources"
                rows={sources}
                rowKey={(row) => row.name}
                columns={[
                  { head: "Source", cell: (row) => <Name text={row.name} /> },
                  { head: "Statements", number: true, cell: (row) => formatNumber(row.statements) },
                  { head: "Datasets", number: true, cell: (row) => formatNumber(row.datasets) },
                  {
                    head: "Described by it",
                    cell: (row) => {
                      const numbers = covered.get(row.name);
                      return numbers && numbers.datasets > 0 ? formatRatio(numbers.described, numbers.datasets) : "";
                    },
                  },
                  {
                    head: "Last sync",
                    cell: (row) =>
                      row.lastSync === null ? (
                        <span className="soft">none: it is not read, it sends</span>
                      ) : (
                        <>
                          <When at={row.lastSync.at} />{" "}
                          {row.lastSync.error !== null && (
                            <>
                              <Badge tone="bad">failed{row.lastSync.failures > 1 && ` ${formatNumber(row.lastSync.failures)} times`}</Badge>{" "}
                              <Name text={row.lastSync.error} most={300} />
                            </>
                          )}
                        </>
                      ),
                  },
                  { head: "Behind", cell: (row) => (row.lag === null ? "" : formatSeconds(row.lag)), has: (row) => row.lag !== null },
                  {
                    head: "Changes of the last sync",
                    cell: (row) =>
                      row.lastSync &&
                      `${formatNumber(row.lastSync.new)} new, ${formatNumber(row.lastSync.changed)} changed, ${formatNumber(row.lastSync.retracted)} retracted, ${formatNumber(row.lastSync.refused)} refused`,
                    has: (row) => row.lastSync !== null,
                  },
                  { head: "Next", cell: (row) => row.next && <When at={row.next} />, has: (row) => row.next !== null },
                ]}
              />
            </section>
          );
        }}
      </Answered>
    </>
  );
}

export function IdentityPage() {
  useTitle("Identity");
  const pages = usePages();
  const query = useQuery(IdentityConflicts, { first: pages.first, after: pages.after });
  return (
    <>
      <h1 tabIndex={-1}>Identity: merges that look wrong, and names that are probably one</h1>
      <Answered query={query}>
        {({ identityConflicts: found }) => (
          <section className="card" aria-label="Doubtful identities">
            <p role="status">
              {found.totalCount === 0 ? "No identity looks wrong." : `${formatNumber(found.totalCount)}, the most suspicious first.`}
            </p>
            <ul className="plain items">
              {found.nodes.map((one, index) => (
                <li key={index}>
                  <p className="strong">
                    {CONFLICTS[one.kind] ?? nameValue(one.kind)}{" "}
                    <span className="soft">({formatRatio(one.similarity, 1)} of their columns in common)</span>
                  </p>
                  <ul>
                    {one.names.map((name) => (
                      <li key={name.id}>
                        <Name text={`${name.namespace}/${name.name}`} />
                      </li>
                    ))}
                  </ul>
                  <p>
                    Datasets: <AssetLinks assets={one.datasets} full />
                    {one.sources.length > 0 && (
                      <>
                        . Catalogs: <Name text={one.sources.join(", ")} />
                      </>
                    )}
                    {one.sessionName && (
                      <>
                        . In the sessions: <Name text={`${one.sessionName.namespace}/${one.sessionName.name}`} />
                      </>
                    )}
                  </p>
                </li>
              ))}
            </ul>
            <PageLine pages={pages} list={found} />
          </section>
        )}
      </Answered>
      <NamingRules />
    </>
  );
}

const ACTIONS = ["CHECK", "WAIVER", "MUTATION", "POLICY", "ACCESS"] as const;

export function AuditPage() {
  useTitle("Audit");
  const place = usePlace();
  const wanted = readChoice(place.search, "kind", [...ACTIONS, ""] as const, "");
  const actor = place.search.get("actor");
  const pages = usePages(JSON.stringify([wanted, actor]));
  const query = useQuery(Audit, { kind: wanted === "" ? null : wanted, actor, first: pages.first, after: pages.after });
  return (
    <>
      <h1 tabIndex={-1}>Audit: who did what</h1>
      <form
        className="row row-end"
        onSubmit={(event) => {
          event.preventDefault();
          navigate(changeHref(place, { actor: String(new FormData(event.currentTarget).get("actor") ?? "").trim() }));
        }}
      >
        <Choice label="Action" name="kind" value={wanted}>
          <option value="">all actions</option>
          {ACTIONS.map((one) => (
            <option key={one} value={one}>
              {nameValue(one)}
            </option>
          ))}
        </Choice>
        <label className="field">
          <span>Actor</span>
          <input name="actor" defaultValue={actor ?? ""} key={actor ?? ""} />
        </label>
        <button type="submit">Filter</button>
      </form>
      <Answered query={query}>
        {({ audit }) => (
          <section className="card" aria-label="Entries">
            <p role="status">{count(audit.totalCount, "entry", "entries")}.</p>
            <Table
              caption="Entries of the audit log"
              rows={audit.nodes}
              rowKey={(row) => row.id}
              columns={[
                { head: "At", cell: (row) => <When at={row.at} /> },
                { head: "Action", cell: (row) => nameValue(row.action) },
                { head: "Actor", cell: (row) => (row.actor ? <Name text={row.actor} /> : <span className="soft">no name given</span>) },
                { head: "Subject", cell: (row) => <Name text={row.subject} most={200} /> },
                {
                  head: "Details",
                  cell: (row) => (
                    <details>
                      <summary>Show</summary>
                      <Value value={row.details} />
                    </details>
                  ),
                },
              ]}
            />
            <PageLine pages={pages} list={audit} />
          </section>
        )}
      </Answered>
    </>
  );
}
