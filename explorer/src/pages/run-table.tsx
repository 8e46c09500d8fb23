/** Runs as a table, and the last ones of a job on one line. */
import { Fragment } from "react";
import { type FileColumn, type ReadPart, SaveRows } from "../list-file";
import { buildRunHref } from "../location";
import { formatSeconds, formatTime, RUN_STATES } from "../messages";
import { AssetLink, Badge, Link, Name, Table, When } from "../parts";
import type { RunLine } from "../queries/runs";

const HEALTH = 10;
const MOST = 10_000; // runs of one file

export const RUN_COLUMNS: readonly FileColumn<RunLine>[] = [
  ["state", (run) => RUN_STATES[run.state]?.name ?? run.state],
  ["job", (run) => run.job?.qualifiedName],
  ["started", (run) => run.startedAt],
  ["ended", (run) => run.endedAt],
  ["milliseconds", (run) => run.durationMs],
  ["for the time from", (run) => run.nominalStart],
  ["part of", (run) => run.parent?.jobName],
  ["error", (run) => run.error],
  ["run", (run) => run.runId],
  ["source", (run) => run.source],
  ["id", (run) => run.id],
];

export function SaveRuns({ name, read }: { name: string; read: ReadPart<RunLine> }) {
  return <SaveRows name={name} columns={RUN_COLUMNS} most={MOST} read={read} />;
}

export function RunState({ state, short = false }: { state: string; short?: boolean }) {
  const known = RUN_STATES[state];
  return (
    <Badge tone={known?.tone ?? ""}>
      {known?.sign} <span className={short ? "hidden-text" : undefined}>{known?.name ?? state.toLowerCase()}</span>
    </Badge>
  );
}

/** The last runs in one line, the oldest first. */
export function RunHealth({ runs }: { runs: readonly RunLine[] }) {
  if (runs.length === 0) return null;
  return (
    <>
      {runs
        .slice(0, HEALTH)
        .reverse()
        .map((run) => (
          <Fragment key={run.id}>
            <Link href={buildRunHref(run.id)} label={`${RUN_STATES[run.state]?.name ?? run.state} at ${formatTime(run.startedAt)}`}>
              <RunState state={run.state} short />
            </Link>{" "}
          </Fragment>
        ))}
      <span className="soft">the newest on the right</span>
    </>
  );
}

export function Runs({ runs, withJob }: { runs: readonly RunLine[]; withJob: boolean }) {
  return (
    <Table
      caption="Runs, the newest first"
      rows={runs}
      rowKey={(row) => row.id}
      columns={[
        { head: "State", cell: (row) => <RunState state={row.state} /> },
        ...(withJob ? [{ head: "Job", cell: (row: RunLine) => row.job && <AssetLink asset={row.job} /> }] : []),
        { head: "Started", cell: (row) => <When at={row.startedAt} /> },
        { head: "Duration", cell: (row) => row.durationMs !== null && formatSeconds(row.durationMs / 1000) },
        { head: "For the time from", cell: (row) => row.nominalStart && <When at={row.nominalStart} ago={false} /> },
        { head: "Part of", cell: (row) => row.parent && <Name text={row.parent.jobName} /> },
        { head: "Error", cell: (row) => <Name text={row.error ?? ""} most={300} /> },
        {
          head: "Run",
          cell: (row) => (
            <Link href={buildRunHref(row.id)}>
              <Name text={row.runId} />
            </Link>
          ),
        },
      ]}
    />
  );
}
