/** Beside the picture: what is in the focus, or why a line is there. */
import { useQuery } from "../client";
import { buildHref } from "../location";
import { count } from "../messages";
import { Answered, AssetLink, KindBadge, Link, Name, ReachBadge, When } from "../parts";
import { EdgeReasons } from "../queries/picture";
import { JobSql } from "../queries/why";
import type { Action } from "./actions";
import type { PictureState } from "./address";
import { type Card, isUser, isVeiled, type Line, type LineageEdge, type Picture, type Reach, type Row } from "./model";

export function nameReach(reach: Reach): string {
  return reach[0] + reach.slice(1).toLowerCase();
}

export interface DetailsProps {
  card: Card | undefined;
  row: Row | undefined;
  line: Line | undefined;
  picture: Picture;
  state: PictureState;
  cone: { of: string; up: number; down: number; more: boolean } | null;
  /** What can be done with the card or row. */
  actions: readonly Action[];
  onLine(id: string | null): void;
  onFilter(card: string, text: string): void;
  /** From the filter to a row of the tree. */
  onFilterLeft(id: string): void;
}

export function Details(props: DetailsProps) {
  const { line, card } = props;
  return (
    <div className="canvas-details" data-details={line ? "why" : "card"}>
      {line ? (
        <Reasons {...props} line={line} />
      ) : card ? (
        <Focus {...props} card={card} />
      ) : (
        <p className="soft">Nothing is in the picture yet.</p>
      )}
    </div>
  );
}

function Focus({ card, row, picture, state, cone, actions, onLine, onFilter, onFilterLeft }: DetailsProps & { card: Card }) {
  const { node } = card;
  const id = row?.id ?? node.id;
  const lines = picture.lines.filter((line) => {
    const ends = [
      [line.from, line.fromRow],
      [line.to, line.toRow],
    ] as const;
    return ends.some(([at, atRow]) => picture.cards[at] === card && (!row || card.rows[atRow]?.id === row.id));
  });
  if (card.members.length > 0)
    return (
      <>
        <h2>
          <KindBadge kind={node.kind} /> <Name text={node.name} />
        </h2>
        <p>{card.members.length} inside:</p>
        <ul>
          {card.members.slice(0, 50).map((member) => (
            <li key={member.id}>
              <AssetLink asset={member} full={false} />
            </li>
          ))}
          {card.members.length > 50 && <li>and {card.members.length - 50} more</li>}
        </ul>
        {actions.map(({ label, run }) => (
          <button key={label} type="button" onClick={run}>
            {label}
          </button>
        ))}
      </>
    );
  return (
    <>
      <h2>
        <KindBadge kind={row ? "COLUMN" : node.kind} />{" "}
        <AssetLink asset={row ? { ...node, id: row.id, name: row.name, qualifiedName: `${node.name}.${row.name}` } : node} />
      </h2>
      <p>
        {!isUser(node) && <ReachBadge reach={node.reach} masked={node.masked} />}{" "}
        {node.owners.length > 0 ? (
          <>
            owned by{" "}
            {node.owners.map((owner, i) => (
              <span key={owner.id}>
                {i > 0 && ", "}
                <AssetLink asset={{ ...owner, kind: "OWNER", qualifiedName: owner.name }} full={false} />
              </span>
            ))}
          </>
        ) : node.brief ? (
          isUser(node) ? (
            "owner not loaded: its page has it"
          ) : (
            "owner and checks are not loaded yet"
          )
        ) : (
          "no owner"
        )}
      </p>
      <div className="row">
        {actions.map(({ label, href, run, pressed, expanded }) =>
          href === undefined ? (
            <button key={label} type="button" aria-pressed={pressed} aria-expanded={expanded} onClick={run}>
              {label}
            </button>
          ) : (
            <Link key={label} href={href}>
              {label}
            </Link>
          ),
        )}
      </div>
      {card.allRows > FEW_COLUMNS && <ColumnFilter key={card.id} {...{ card, state, onFilter }} onLeave={onFilterLeft} />}
      {cone && cone.of === id && (
        <p className="soft">
          Beyond the picture: {cone.up} upstream, {cone.down} downstream{cone.more ? ", or more" : ""}.
        </p>
      )}
      {lines.length > 0 && (
        <>
          <h3>Lines</h3>
          <ul>
            {lines.slice(0, 30).map((line) => {
              const outgoing = picture.cards[line.from] === card;
              const other = picture.cards[outgoing ? line.to : line.from]!;
              return (
                <li key={line.id}>
                  <button type="button" className="canvas-link" onClick={() => onLine(line.id)}>
                    {outgoing ? "to " : "from "}
                    <Name text={other.node.name} most={40} /> ({line.reach.toLowerCase()}
                    {line.masking && ", masking"}
                    {line.stale && ", not restated"}
                    {line.provisional && ", provisional"}
                    {isVeiled(line) && ", through what you may not see"})
                  </button>
                </li>
              );
            })}
            {lines.length > 30 && <li>and {lines.length - 30} more</li>}
          </ul>
        </>
      )}
    </>
  );
}

/** Up to here a reader sees the columns of a card at one look. */
export const FEW_COLUMNS = 12;

/** Narrows the columns of a wide card by a part of their names. */
function ColumnFilter({
  card,
  state,
  onFilter,
  onLeave,
}: Pick<DetailsProps, "state" | "onFilter"> & { card: Card; onLeave: DetailsProps["onFilterLeft"] }) {
  const given = state.view.filters.get(card.id) ?? "";
  const count = `${card.rows.length} of ${card.allRows}`;
  return (
    <div className="row">
      <label>
        Columns with{" "}
        <input
          id="canvas-columns"
          type="search"
          value={given}
          placeholder="a part of the name"
          aria-describedby="canvas-columns-count"
          onChange={(event) => onFilter(card.id, event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" && event.key !== "ArrowDown" && event.key !== "Escape") return;
            event.preventDefault();
            if (event.key === "Escape") onFilter(card.id, "");
            onLeave(event.key === "Escape" ? card.id : (card.rows[0]?.id ?? card.id));
          }}
        />
      </label>
      <span id="canvas-columns-count" role="status" className="soft">
        {count}
      </span>
    </div>
  );
}

function Reasons({ line, picture, state, onLine }: DetailsProps & { line: Line }) {
  const from = picture.cards[line.from]!;
  const to = picture.cards[line.to]!;
  const source = line.fromRow >= 0 ? from.rows[line.fromRow]! : from.node;
  const target = line.toRow >= 0 ? to.rows[line.toRow]! : to.node;
  const traceable = from.members.length + to.members.length === 0 && (from.node.kind === "DATASET" || from.node.kind === "COLUMN");
  const ofColumns = line.fromRow >= 0 || from.node.kind === "COLUMN" || line.toRow >= 0;
  const granularity = ofColumns ? "COLUMN" : state.view.granularity;
  // From the end that has fewer neighbours: of a hub only the first thousand would be in the answer.
  const fromTarget = (to.node.upstream?.direct ?? 0) < (from.node.downstream?.direct ?? Number.POSITIVE_INFINITY);
  const ends = fromTarget ? { of: [target.id], direction: "UPSTREAM" as const } : { of: [source.id], direction: "DOWNSTREAM" as const };
  const grouped = from.members.length + to.members.length > 0;
  const user = [from, to].find((card) => isUser(card.node));
  const reasons = useQuery(EdgeReasons, grouped || user ? null : { ...ends, granularity, asOf: state.asOf });
  const wanted = new Set(line.edges.map((edge) => `${edge.from} ${edge.to}`));
  const edges = reasons.data?.lineage.edges.filter((edge) => wanted.has(`${edge.from.id} ${edge.to.id}`)) ?? [];
  const stated = edges.flatMap((edge) => edge.evidence.flatMap((one) => (one.job ? [one.job] : [])));
  const jobs = new Map([...line.edges.flatMap((edge) => edge.jobs), ...stated].map((job) => [job.id, job] as const));
  return (
    <>
      <h2>Why this line is here</h2>
      <p>
        <Name text={source.name} /> → <Name text={target.name} />
      </p>
      <ul>
        {line.edges.slice(0, 20).map((edge) => (
          <li key={`${edge.from} ${edge.to}`}>{describeEdge(edge)}</li>
        ))}
        {line.edges.length > 20 && <li>and {line.edges.length - 20} more</li>}
      </ul>
      {jobs.size > 0 && <Jobs ids={[...jobs.keys()].slice(0, 20)} names={jobs} />}
      {user && (
        <p>
          {user.node.kind === "CONSUMER"
            ? "The consumer uses it, or a part of it, or what it belongs to."
            : user === to
              ? "The job reads it."
              : "The job writes it."}
        </p>
      )}
      {!grouped && !user && (
        <Answered query={reasons}>
          {(data) => {
            const edges = data.lineage.edges.filter((edge) => wanted.has(`${edge.from.id} ${edge.to.id}`));
            const evidence = edges.flatMap((edge) => edge.evidence);
            const total = edges.reduce((sum, edge) => sum + edge.evidenceTotal, 0);
            return (
              <>
                <h3>
                  {total} {total === 1 ? "statement" : "statements"} of{" "}
                  {count(new Set(evidence.map((one) => one.source)).size, "source", "sources")}
                </h3>
                <ol>
                  {evidence.slice(0, 20).map((one, i) => (
                    <li key={`${one.statement} ${i}`}>
                      <Name text={one.source} />
                      {one.job && (
                        <>
                          , job <AssetLink asset={one.job} full={false} />
                        </>
                      )}
                      , since <When at={one.firstSeen} />, last stated <When at={one.lastObserved} />
                      {one.run && (
                        <>
                          {", "}
                          <Link href={`/runs/${encodeURIComponent(one.run.id)}`}>run {one.run.state.toLowerCase()}</Link>{" "}
                          <When at={one.run.startedAt} />
                        </>
                      )}
                      {one.stale && ", not confirmed by the latest run"}
                      {one.provisional && ", of a run that has not completed"}
                    </li>
                  ))}
                </ol>
                {total > Math.min(evidence.length, 20) && <p>and {total - Math.min(evidence.length, 20)} more</p>}
              </>
            );
          }}
        </Answered>
      )}
      <div className="row">
        {traceable && <Link href={buildHref("/why", { from: source.id, to: target.id })}>All steps</Link>}
        <button type="button" onClick={() => onLine(null)}>
          Close
        </button>
      </div>
    </>
  );
}

function Jobs({ ids, names }: { ids: string[]; names: ReadonlyMap<string, { id: string; name: string }> }) {
  const sql = useQuery(JobSql, { ids });
  return (
    <>
      <h3>Jobs</h3>
      <ul>
        {ids.map((id) => {
          const found = sql.data?.nodes.find((node) => node?.id === id);
          const text = found?.__typename === "Job" ? found.sql : null;
          const job = names.get(id)!;
          return (
            <li key={id}>
              <AssetLink asset={{ ...job, kind: "JOB", qualifiedName: job.name }} />
              {text && (
                <pre>
                  <Name text={text} most={4000} />
                </pre>
              )}
            </li>
          );
        })}
      </ul>
    </>
  );
}

function describeEdge(edge: LineageEdge): string {
  const parts = [
    edge.reach.toLowerCase(),
    edge.subtype ? edge.subtype.toLowerCase().replaceAll("_", " ") : "",
    edge.masking ? "masking" : "",
    edge.stale ? "not restated by the latest run" : "",
    edge.provisional ? "from a run that has not completed" : "",
    edge.count > 1 ? `${edge.count} flows` : "",
    edge.hidden ? `through ${count(edge.hidden, "asset", "assets")} that you may not see, or more` : "",
  ];
  return parts.filter(Boolean).join(", ");
}
