/** The page of one run, and the events that producers have sent. */
import { type FormEvent, type ReactNode, useState } from "react";
import { sendOperation, useQuery } from "../client";
import { type FileColumn, SaveRows } from "../list-file";
import { buildRunHref, changeHref, navigate, readTime, usePlace } from "../location";
import { count, formatNumber, formatSeconds, formatTime, text } from "../messages";
import { PageLine, usePages } from "../paging";
import { Answered, AssetLink, CopyButton, Link, ListLine, Name, Problem, SpanFields, Table, When } from "../parts";
import {
  EventCounts,
  type EventCountsAnswer,
  EventLines,
  type EventLinesAnswer,
  Events,
  NewestEvent,
  RunDetails,
  type RunFull,
} from "../queries/runs";
import { useTitle } from "../title";
import { RunState, Runs } from "./run-table";

type Run = RunFull;

export function RunPage({ id }: { id: string }) {
  // A link may have the run id of the producer, which several jobs may share: events have no other.
  const query = useQuery(RunDetails, { id, runId: id });
  return (
    <>
      {query.data === null && <h1 className="hidden-text">{text.loading}</h1>}
      <Answered query={query}>
        {({ run, runsById }) => {
          const found = run === null ? runsById.nodes : [run];
          const [only] = found;
          if (only === undefined) return <UnknownRun id={id} />;
          return found.length === 1 ? <Known run={only} /> : <Several id={id} runs={found} total={runsById.totalCount} />;
        }}
      </Answered>
    </>
  );
}

function UnknownRun({ id }: { id: string }) {
  useTitle(text.unknownRun);
  return (
    <div className="head">
      <h1 tabIndex={-1}>{text.unknownRun}</h1>
      <p>{text.unknownRunHelp}</p>
      <p className="mono">
        <Name text={id} />
      </p>
    </div>
  );
}

function Several({ id, runs, total }: { id: string; runs: readonly Run[]; total: number }) {
  useTitle("Runs with one id");
  return (
    <>
      <div className="head">
        <h1 tabIndex={-1}>Runs with one id</h1>
        <p className="mono soft">
          <Name text={id} most={300} />
        </p>
      </div>
      <section className="card" aria-label="Runs">
        <Runs runs={runs} withJob />
        <ListLine shown={runs.length} total={total} />
      </section>
    </>
  );
}

function Known({ run }: { run: Run }) {
  useTitle(`Run of ${run.jobName}`);
  return (
    <>
      <div className="head">
        <p className="kicker">Run</p>
        <h1 tabIndex={-1}>
          <Name text={run.jobName} />
        </h1>
        <p className="mono soft">
          <Name text={run.runId} most={300} />
        </p>
      </div>
      <section className="card" aria-labelledby="about">
        <h2 id="about">About it</h2>
        <dl>
          <dt>State</dt>
          <dd>
            <RunState state={run.state} />
          </dd>
          {run.error && (
            <>
              <dt>Error</dt>
              <dd>
                <Name text={run.error} most={2000} />
              </dd>
            </>
          )}
          <dt>Job</dt>
          <dd>
            {run.job ? (
              <AssetLink asset={run.job} />
            ) : (
              <>
                <Name text={`${run.jobNamespace}/${run.jobName}`} /> <span className="soft">(the graph does not show it)</span>
              </>
            )}
          </dd>
          <dt>Started</dt>
          <dd>
            <When at={run.startedAt} />
          </dd>
          <dt>Ended</dt>
          <dd>
            {run.endedAt ? <When at={run.endedAt} /> : "no event says that it has ended"}
            {run.durationMs !== null && `, after ${formatSeconds(run.durationMs / 1000)}`}
          </dd>
          <dt>Last event</dt>
          <dd>
            <When at={run.lastEventAt} />
          </dd>
          {run.nominalStart && (
            <>
              <dt>Scheduled for</dt>
              <dd>
                <When at={run.nominalStart} ago={false} />
                {run.nominalEnd && (
                  <>
                    {" "}
                    to <When at={run.nominalEnd} ago={false} />
                  </>
                )}
              </dd>
            </>
          )}
          {run.parent && (
            <>
              <dt>Part of</dt>
              <dd>
                {run.parent.run ? (
                  <Link href={buildRunHref(run.parent.run.id)}>
                    <Name text={`${run.parent.jobName}, run ${run.parent.runId}`} />
                  </Link>
                ) : (
                  <>
                    <Name text={`${run.parent.jobName}, run ${run.parent.runId}`} />{" "}
                    <span className="soft">(no event of it was received)</span>
                  </>
                )}
              </dd>
            </>
          )}
          <dt>Stated by</dt>
          <dd>
            <Name text={run.source} />
          </dd>
        </dl>
        <div className="row">
          <CopyButton content={window.location.href} label={text.copyLink} />
        </div>
      </section>
      <Ends title="Read" ends={run.inputs} />
      <Ends title="Wrote" ends={run.outputs} />
      <section className="card" aria-labelledby="facets">
        <h2 id="facets">Facets, as its events have them</h2>
        <Facets name="Facets of the run" value={run.facets} />
        <Facets name="Facets of the job" value={run.jobFacets} />
      </section>
    </>
  );
}

function Ends({ title, ends }: { title: string; ends: Run["inputs"] }) {
  return (
    <section className="card" aria-labelledby={title}>
      <h2 id={title}>
        {title} {count(ends.length, "dataset", "datasets")}
      </h2>
      {ends.length > 0 && (
        <Table
          caption={title}
          rows={ends}
          rowKey={(_, index) => String(index)}
          columns={[
            {
              head: "Dataset",
              cell: (row) =>
                row.dataset ? (
                  <AssetLink asset={row.dataset} />
                ) : (
                  <>
                    <Name text={`${row.namespace}/${row.name}`} /> <span className="soft">(the graph does not show it)</span>
                  </>
                ),
            },
            { head: "Named by the run", cell: (row) => <Name text={`${row.namespace}/${row.name}`} /> },
            { head: "Facets", cell: (row) => <Facets name="Show" value={row.facets} /> },
          ]}
        />
      )}
    </section>
  );
}

/** JSON as the producer sent it, indented. */
function Facets({ name, value }: { name: string; value: unknown }) {
  const size = Object.keys((value ?? {}) as object).length;
  if (size === 0) return <p className="soft">{name === "Show" ? text.none : `${name}: none.`}</p>;
  return <Json name={`${name} (${formatNumber(size)})`} value={value} />;
}

function Json({ name, value }: { name: ReactNode; value: unknown }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{name}</summary>
      {open && <JsonText value={value} />}
    </details>
  );
}

const LONGEST = 100_000;

function JsonText({ value }: { value: unknown }) {
  const whole = JSON.stringify(value, null, 2);
  return (
    <>
      <pre>
        {whole
          .slice(0, LONGEST)
          .split("\n")
          .map((line, index) => (
            <span key={index}>
              {/^ */.exec(line)?.[0]}
              <Name text={line.trimStart()} most={5000} />
              {"\n"}
            </span>
          ))}
      </pre>
      {whole.length > LONGEST && (
        <p className="soft">
          The first {formatNumber(LONGEST)} of {formatNumber(whole.length)} characters.
        </p>
      )}
      <CopyButton content={whole} />
    </>
  );
}

const HOUR_MS = 3_600_000;
const MOST = 10_000; // events of one file
const TYPES = ["start", "running", "complete", "fail", "abort", "other"] as const;

const FILE_COLUMNS: readonly FileColumn<EventLinesAnswer["events"]["nodes"][number]>[] = [
  ["at", (event) => event.at],
  ["type", (event) => event.type.toLowerCase()],
  ["job namespace", (event) => event.jobNamespace],
  ["job", (event) => event.jobName],
  ["run", (event) => event.runId],
  ["source", (event) => event.source],
  ["received", (event) => event.receivedAt],
];

export function EventsPage() {
  useTitle("Events");
  const place = usePlace();
  const [opened] = useState(() => Math.ceil(Date.now() / HOUR_MS) * HOUR_MS);
  // Without a time in the address the page ends at the newest event: an old mesh is no empty page.
  const newest = useQuery(NewestEvent, place.search.get("to") ? null : {});
  const last = newest.data?.events.nodes[0]?.at;
  const end = last === undefined ? opened : Math.min(opened, Math.ceil((new Date(last).getTime() + 1) / HOUR_MS) * HOUR_MS);
  const to = readTime(place.search, "to") ?? new Date(end).toISOString();
  const waiting = newest.loading && !place.search.get("to");
  const from = readTime(place.search, "from") ?? new Date(new Date(to).getTime() - 24 * HOUR_MS).toISOString();
  const bad = ["from", "to"].filter((name) => place.search.get(name) && !readTime(place.search, name));
  const key = `${from} ${to}`;
  const pages = usePages(key);
  const hours = (new Date(to).getTime() - new Date(from).getTime()) / HOUR_MS;
  const bucket = hours <= 72 ? "HOUR" : hours <= 24 * 120 ? "DAY" : "WEEK";
  const ordered = hours > 0;
  const counts = useQuery(EventCounts, ordered && !waiting ? { from, to, bucket } : null);
  const query = useQuery(Events, ordered && !waiting ? { from, to, first: pages.first, after: pages.after } : null);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const read = (name: string) => {
      const time = new Date(String(given.get(name) ?? ""));
      return Number.isNaN(time.getTime()) ? null : time.toISOString();
    };
    navigate(changeHref(place, { from: read("from"), to: read("to") }));
  };
  const span = (length: number) =>
    changeHref(place, { from: new Date(opened - length * HOUR_MS).toISOString(), to: new Date(opened).toISOString() });
  return (
    <>
      <h1 tabIndex={-1}>Events that producers sent</h1>
      {(bad.length > 0 || !ordered) && (
        <p className="notice warn" role="alert">
          {ordered ? `The address has no time that can be read in: ${bad.join(", ")}.` : "The first time is not before the second."}
        </p>
      )}
      <form className="row row-end" onSubmit={submit} key={key}>
        <SpanFields from={from} to={to} />
        <button type="submit" className="main-button">
          Show
        </button>
        <Link href={span(24)} className="button">
          24 hours
        </Link>
        <Link href={span(24 * 7)} className="button">
          7 days
        </Link>
        <Link href={span(24 * 365)} className="button">
          A year
        </Link>
        <CopyButton content={new URL(changeHref(place, { from, to }), window.location.href).href} label={text.copyLink} />
      </form>
      {newest.error && <Problem error={newest.error} retry={newest.retry} />}
      {ordered && (
        <>
          <Answered query={counts}>
            {({ eventCounts }) => <Counts counts={eventCounts} unit={bucket === "HOUR" ? "hour" : bucket === "DAY" ? "day" : "week"} />}
          </Answered>
          <Answered query={query}>
            {({ events }) => (
              <section className="card" aria-labelledby="kept">
                <h2 id="kept">
                  Events that are kept <span className="soft">{formatNumber(events.totalCount)}</span>
                </h2>
                <div className="row">
                  <SaveRows
                    key={key}
                    name={`events ${from} to ${to}`}
                    columns={FILE_COLUMNS}
                    most={MOST}
                    read={async (part) => (await sendOperation(EventLines, { from, to, ...part })).events}
                  />
                  <span className="soft">Without their bodies; the newest {formatNumber(MOST)} at most.</span>
                </div>
                <Table
                  caption="Events, the newest first"
                  rows={events.nodes}
                  rowKey={(_, index) => String(index)}
                  columns={[
                    { head: "At", cell: (row) => <When at={row.at} /> },
                    { head: "Type", cell: (row) => <Name text={row.type.toLowerCase()} /> },
                    { head: "Job", cell: (row) => row.jobName && <Name text={`${row.jobNamespace ?? ""}/${row.jobName}`} /> },
                    {
                      head: "Run",
                      cell: (row) =>
                        row.runId && (
                          <Link href={buildRunHref(row.runId)}>
                            <Name text={row.runId} />
                          </Link>
                        ),
                    },
                    { head: "Source", cell: (row) => <Name text={row.source} /> },
                    { head: "Received", cell: (row) => <When at={row.receivedAt} ago={false} /> },
                    { head: "Body", cell: (row) => <Json name="Show" value={row.body} /> },
                  ]}
                />
                <PageLine pages={pages} list={events} />
              </section>
            )}
          </Answered>
        </>
      )}
    </>
  );
}

type EventCount = EventCountsAnswer["eventCounts"][number];

export function sumCounts(one: EventCount): number {
  return TYPES.reduce((sum, type) => sum + one[type], 0);
}

/** How many events in each span of time: bars, and the same as a table. */
function Counts({ counts, unit }: { counts: readonly EventCount[]; unit: string }) {
  const most = Math.max(1, ...counts.map(sumCounts));
  const filled = counts.filter((one) => sumCounts(one) > 0);
  const total = counts.reduce((sum, one) => sum + sumCounts(one), 0);
  return (
    <section className="card" aria-labelledby="counts">
      <h2 id="counts">
        By {unit} <span className="soft">{count(total, "event", "events")}</span>
      </h2>
      <p className="soft">Also events that are not kept any more.</p>
      {total > 0 && (
        <>
          <svg className="bars" viewBox={`0 0 ${counts.length * 10} 60`} preserveAspectRatio="none" aria-hidden="true">
            {counts.map((one, index) => {
              const good = ((sumCounts(one) - one.fail - one.abort) / most) * 58;
              const bad = ((one.fail + one.abort) / most) * 58;
              return (
                <g key={one.at}>
                  <rect x={index * 10 + 1} width="8" y={60 - good} height={good} className="bar-good" />
                  <rect x={index * 10 + 1} width="8" y={60 - good - bad} height={bad} className="bar-bad" />
                </g>
              );
            })}
          </svg>
          <div className="row bars-ends soft">
            <span>{formatTime(counts[0]?.at ?? "")}</span>
            <span>Failed and aborted runs are on top, in red.</span>
            <span>{formatTime(counts[counts.length - 1]?.at ?? "")}</span>
          </div>
          <details>
            <summary>As a table</summary>
            <Table
              caption={`Events by ${unit}`}
              rows={filled}
              rowKey={(row) => row.at}
              columns={[
                { head: "From", cell: (row) => <When at={row.at} ago={false} /> },
                ...TYPES.map((type) => ({ head: type, number: true, cell: (row: EventCount) => formatNumber(row[type]) })),
              ]}
            />
          </details>
        </>
      )}
    </section>
  );
}
