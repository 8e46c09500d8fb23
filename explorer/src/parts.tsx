/** Parts that several pages use: names, links, badges, the completeness line, tables, states of a query. */
import { Fragment, type MouseEvent, type ReactNode, useState } from "react";
import { announce } from "./announcer";
import { type AnswerError, FORBIDDEN, openTokenDialog, type QueryState, UNAUTHENTICATED } from "./client";
import { buildAssetHref, keepTime, navigate } from "./location";
import {
  count,
  formatAgo,
  formatExactTime,
  formatNumber,
  formatTime,
  nameKind,
  OUTCOMES,
  REACHES,
  STANDINGS,
  text,
  VERDICTS,
} from "./messages";
import { checkLink, cutName, showName, splitName, splitWords } from "./names";
import { writeLocal } from "./times";

export interface AssetLike {
  id: string;
  kind: string;
  name: string;
  qualifiedName: string;
}

const LONGEST = 120;

/** A name from outside: hidden characters as symbols, cut in the middle if it is long. */
export function Name({ text: given, most = LONGEST }: { text: string; most?: number }) {
  if (given === "") return null; // so that an empty cell is empty
  const cut = cutName(given, most);
  const parts = splitName(cut);
  const plain = parts.length === 1 && !parts[0]?.symbol;
  return (
    <bdi className="name" title={cut === given && plain ? undefined : showName(given)}>
      {plain
        ? splitWords(cut).map((word, index) => (
            <Fragment key={index}>
              {index > 0 && <wbr />}
              {word}
            </Fragment>
          ))
        : parts.map((part, index) =>
            part.symbol ? (
              <span className="symbol" key={index}>
                {part.text}
              </span>
            ) : (
              <Fragment key={index}>{part.text}</Fragment>
            ),
          )}
    </bdi>
  );
}

/** Text from outside with its line breaks; nothing in it is markup. */
export function Prose({ text: given }: { text: string }) {
  return (
    <>
      {given
        .slice(0, 20_000)
        .split(/\r\n|\r|\n/)
        .map((line, index) => (
          <Fragment key={index}>
            {index > 0 && <br />}
            <Name text={line} most={5000} />
          </Fragment>
        ))}
    </>
  );
}

/** A link of this page: without a reload, unless the user wants another tab. */
export function Link({
  href,
  children,
  className,
  current,
  label,
}: {
  href: string;
  children: ReactNode;
  className?: string;
  current?: boolean;
  label?: string;
}) {
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(href);
  };
  return (
    <a href={keepTime(href)} onClick={follow} className={className} aria-current={current ? "page" : undefined} aria-label={label}>
      {children}
    </a>
  );
}

/** A link that a source states; text if it is not one of https, http, mailto. */
export function OuterLink({ url, children }: { url: string; children: ReactNode }) {
  const href = checkLink(url);
  if (href === null) return <>{children}</>;
  return (
    <a href={href} rel="noopener noreferrer" target="_blank">
      {children}
    </a>
  );
}

export function AssetLink({ asset, kind = false, full = true }: { asset: AssetLike; kind?: boolean; full?: boolean }) {
  return (
    <span>
      {kind && (
        <>
          <KindBadge kind={asset.kind} />{" "}
        </>
      )}
      <Link href={buildAssetHref(asset.id)}>{<Name text={full ? asset.qualifiedName : asset.name} />}</Link>
    </span>
  );
}

/** Several assets, the first `most` of them, and how many are left. */
export function AssetLinks({ assets, most = 8, full = false }: { assets: readonly AssetLike[]; most?: number; full?: boolean }) {
  const [all, setAll] = useState(false);
  if (assets.length === 0) return <span className="soft">{text.none}</span>;
  const shown = all ? assets : assets.slice(0, most);
  return (
    <span>
      {shown.map((asset, index) => (
        <Fragment key={asset.id}>
          {index > 0 && ", "}
          <AssetLink asset={asset} full={full} />
        </Fragment>
      ))}
      {assets.length > shown.length && (
        <>
          {" "}
          <button type="button" onClick={() => setAll(true)}>
            and {formatNumber(assets.length - shown.length)} more
          </button>
        </>
      )}
    </span>
  );
}

export function Badge({ tone = "", children, title }: { tone?: string; children: ReactNode; title?: string | undefined }) {
  return (
    <span className={`badge ${tone}`} title={title}>
      {children}
    </span>
  );
}

export const KindBadge = ({ kind }: { kind: string }) => <Badge>{nameKind(kind)}</Badge>;

export function ReachBadge({ reach, masked = false }: { reach: string | null; masked?: boolean }) {
  const known = reach === null ? null : REACHES[reach];
  return (
    <>
      {known && (
        <Badge tone={reach === "DIRECT" ? "warn" : ""} title={known.meaning}>
          {reach === "DIRECT" ? "━" : reach === "INDIRECT" ? "┅" : "⋯"} {known.name}
        </Badge>
      )}
      {masked && (
        <>
          {" "}
          <Badge title="Every path with this reach passes a masking step">masked</Badge>
        </>
      )}
    </>
  );
}

export function VerdictBadge({ verdict }: { verdict: string }) {
  const known = VERDICTS[verdict];
  return <Badge tone={known?.tone ?? ""}>{known?.name ?? verdict}</Badge>;
}

export function StandingBadge({ standing }: { standing: string }) {
  const known = STANDINGS[standing];
  return <Badge tone={known?.tone ?? ""}>{known?.name ?? standing.toLowerCase()}</Badge>;
}

export function OutcomeBadge({ outcome }: { outcome: string }) {
  const known = OUTCOMES[outcome];
  return <Badge tone={known?.tone ?? ""}>{known?.name ?? outcome.toLowerCase()}</Badge>;
}

export function When({ at, ago = true }: { at: string | null; ago?: boolean }) {
  if (at === null) return <span className="soft">not known</span>;
  return (
    <time dateTime={at} title={formatExactTime(at)}>
      {formatTime(at)}
      {ago && <span className="soft"> ({formatAgo(at)})</span>}
    </time>
  );
}

export interface OwnershipLike {
  type: string;
  source: string;
  owner: AssetLike & { contact?: string | null };
  inheritedFrom: AssetLike | null;
}

/** How to reach a recipient: by its own contact, else through its owners. */
export function RecipientContact({ contact, owners }: { contact: ReactNode; owners: readonly OwnershipLike[] }) {
  if (contact) return <>{contact}</>;
  const known = owners.filter((one, index) => owners.findIndex((other) => other.owner.id === one.owner.id) === index);
  if (known.length === 0) return <span className="soft">not known</span>;
  return (
    <>
      {known.map((one) => (
        <div key={one.owner.id}>
          <AssetLink asset={one.owner} full={false} />
          {one.owner.contact && (
            <>
              : <Name text={one.owner.contact} />
            </>
          )}
        </div>
      ))}
    </>
  );
}

export function OwnerLinks({ owners, detailed = false }: { owners: readonly OwnershipLike[]; detailed?: boolean }) {
  if (owners.length === 0) return <span className="bad badge">no owner</span>;
  const seen = new Set<string>();
  const once = detailed ? owners : owners.filter((one) => !seen.has(one.owner.id) && seen.add(one.owner.id));
  return (
    <>
      {once.map((one, index) => (
        <Fragment key={`${one.owner.id}:${one.type}:${one.source}:${index}`}>
          {index > 0 && (detailed ? <br /> : ", ")}
          <AssetLink asset={one.owner} full={false} />
          {detailed && (
            <span className="soft">
              {" "}
              {one.owner.contact && (
                <>
                  <Name text={one.owner.contact} />,{" "}
                </>
              )}
              <Name text={one.type} />,{" "}
              {one.inheritedFrom ? (
                <>
                  inherited from {nameKind(one.inheritedFrom.kind)} <AssetLink asset={one.inheritedFrom} full={false} />
                </>
              ) : (
                "its own"
              )}
              , stated by <Name text={one.source} />
            </span>
          )}
        </Fragment>
      ))}
    </>
  );
}

/** For lists, which are as complete as what sources have stated. */
export function ListLine({ shown, total, skipped = 0 }: { shown: number; total: number; skipped?: number }) {
  if (total === 0) return <span data-completeness="complete" />; // the list says that it is empty
  return (
    <p className="soft" data-completeness={shown < total ? "gaps" : "complete"}>
      {skipped > 0
        ? `${formatNumber(skipped + 1)} to ${formatNumber(skipped + shown)} of ${formatNumber(total)} shown.`
        : shown < total
          ? `${formatNumber(shown)} of ${formatNumber(total)} shown.`
          : total === 1
            ? "The only one is shown."
            : `All ${formatNumber(total)} shown.`}
    </p>
  );
}

const ADVICE: Record<string, string> = {
  [FORBIDDEN]: text.forbidden,
  LIMIT_EXCEEDED: "Narrow the question: fewer assets, fewer steps, or a filter.",
  NOT_READY: "The server is still loading the graph.",
};

export function Problem({ error, retry }: { error: AnswerError; retry?: () => void }) {
  return (
    <div className="notice bad stack" role="alert">
      <p>
        <span className="strong">
          <Prose text={error.message} />
        </span>{" "}
        <span className="soft">
          ({error.code}
          {error.requestId && `, request ${error.requestId}`})
        </span>
      </p>
      {ADVICE[error.code] && <p>{ADVICE[error.code]}</p>}
      {error.candidates.length > 0 && (
        <ul>
          {error.candidates.map((one) => (
            <li key={one}>
              <Name text={one} />
            </li>
          ))}
        </ul>
      )}
      <div className="row">
        {error.code === UNAUTHENTICATED || error.code === FORBIDDEN ? (
          <button type="button" onClick={openTokenDialog}>
            {text.token}
          </button>
        ) : (
          retry && (
            <button type="button" onClick={retry}>
              {text.retry}
            </button>
          )
        )}
      </div>
    </div>
  );
}

/** Shows the answer of a query; before it, that it is loading, or why there is none. */
export function Answered<Answer>({ query, children }: { query: QueryState<Answer>; children: (data: Answer) => ReactNode }) {
  if (query.error) return <Problem error={query.error} retry={query.retry} />;
  if (query.data === null)
    return (
      <p className="busy" aria-busy="true">
        {text.loading}
      </p>
    );
  return (
    <div aria-busy={query.loading} className="stack">
      {children(query.data)}
    </div>
  );
}

export interface TableColumn<Row> {
  head: string;
  cell: (row: Row) => ReactNode;
  number?: boolean;
  /** Whether a row has a value. A column in which no row has one is not shown, but named below the table. */
  has?: (row: Row) => boolean;
}

/** A table; on a narrow screen each row is a block with its labels. The roles stay, which `display: block` would take away. */
export function Table<Row>({
  rows,
  columns: all,
  caption,
  rowKey,
}: {
  rows: readonly Row[];
  columns: readonly TableColumn<Row>[];
  caption: string;
  rowKey: (row: Row, index: number) => string;
}) {
  if (rows.length === 0) return <p className="soft">{text.none}</p>;
  const columns = all.filter(({ has }) => !has || rows.some(has));
  const empty = all.filter((column) => !columns.includes(column));
  return (
    <div className="table-box">
      {/* biome-ignore-start lint/a11y/noRedundantRoles: `display: block` takes the roles away */}
      <table className="stacked" role="table">
        <caption className="hidden-text">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th key={column.head} scope="col" role="columnheader" className={column.number ? "number" : undefined}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row, index) => (
            <tr key={rowKey(row, index)} role="row">
              {columns.map((column) => (
                <td key={column.head} role="cell" data-label={column.head} className={column.number ? "number" : undefined}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {/* biome-ignore-end lint/a11y/noRedundantRoles: `display: block` takes the roles away */}
      {empty.length > 0 && (
        <p className="soft">
          {text.emptyColumns} {empty.map((column) => column.head).join(", ")}.
        </p>
      )}
    </div>
  );
}

export function CopyButton({ content, label = text.copy }: { content: string; label?: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(content);
      setDone(true);
      announce(text.copied);
      window.setTimeout(() => setDone(false), 2000);
    } catch {
      announce("The browser did not allow to copy.");
    }
  };
  return (
    <button type="button" onClick={() => void copy()}>
      {done ? text.copied : label}
    </button>
  );
}

export interface StepLike {
  name?: string;
  asset: AssetLike | null;
  edgeType: string | null;
  type: string | null;
  subtype: string | null;
  masking: boolean;
  /** Through how many assets it leads that the reader may not see. */
  hidden?: number;
  job: AssetLike | null;
}

/** A path in one line: each asset, and what leads to the next. */
export function PathLine({ steps }: { steps: readonly StepLike[] }) {
  return (
    <span className="path-line">
      {steps.map((step, index) => (
        <span key={index}>
          {index > 0 && (
            <span className="soft">
              →{step.masking && " masked"}
              {step.hidden ? ` (${count(step.hidden, "asset", "assets")} that you may not see) →` : null}
              {step.job && (
                <span className="hidden-text">
                  {" "}
                  by job <Name text={step.job.name} />
                </span>
              )}{" "}
            </span>
          )}
          {step.asset ? <AssetLink asset={step.asset} /> : <Name text={step.name ?? ""} />}
        </span>
      ))}
    </span>
  );
}

/** A JSON value as text. */
export function Value({ value }: { value: unknown }) {
  if (value === null || value === undefined) return <span className="soft">–</span>;
  return <Name text={typeof value === "string" ? value : JSON.stringify(value)} most={600} />;
}

export function CoverageLine({ covered }: { covered: { datasets: number; described: number; owned: number; withLineage: number } }) {
  return (
    <>
      {count(covered.datasets, "dataset", "datasets")}: {formatNumber(covered.described)} described, {formatNumber(covered.owned)} owned,{" "}
      {formatNumber(covered.withLineage)} with lineage
    </>
  );
}

/** The fields `from` and `to` of a form, as local times. */
export function SpanFields({ from, to }: { from: string; to: string }) {
  return (
    <>
      <label className="field">
        <span>From</span>
        <input type="datetime-local" name="from" defaultValue={writeLocal(from)} />
      </label>
      <label className="field">
        <span>To</span>
        <input type="datetime-local" name="to" defaultValue={writeLocal(to)} />
      </label>
    </>
  );
}
