/** The flows that were added and removed between two times. */
import { type FormEvent, useState } from "react";
import { fetchAnswer, useQuery } from "../client";
import { SearchField } from "../combobox";
import { type FileColumn, type ReadPart, SaveRows } from "../list-file";
import { changeHref, navigate, readList, readTime, usePlace } from "../location";
import { formatNumber, formatTime, nameValue, text } from "../messages";
import { PageLine, type Pages, usePages } from "../paging";
import { Answered, AssetLink, Badge, CopyButton, Link, Name, SpanFields, Table, When } from "../parts";
import { Diff, type DiffAnswer } from "../queries/diff";
import { Names } from "../queries/search";
import { useTitle } from "../title";

const DAY_MS = 86_400_000;

export default function DiffPage() {
  const place = usePlace();
  const of = readList(place.search, "of");
  const [opened] = useState(() => Date.now());
  const from = readTime(place.search, "from") ?? new Date(opened - 30 * DAY_MS).toISOString();
  const to = readTime(place.search, "to") ?? new Date(opened).toISOString();
  const bad = ["from", "to"].filter((name) => place.search.get(name) && !readTime(place.search, name));
  const names = useQuery(Names, of.length > 0 ? { ids: of } : null);
  const question = { from, to, of: of.length > 0 ? of : null };
  const [added, removed] = [usePages(JSON.stringify(question)), usePages(JSON.stringify(question))];
  const query = useQuery(Diff, {
    ...{ ...question, firstAdded: added.first, afterAdded: added.after },
    ...{ firstRemoved: removed.first, afterRemoved: removed.after },
  });
  const readPart =
    (change: "added" | "removed"): ReadPart<Flow> =>
    async ({ first, after }) => {
      const none = { firstAdded: 0, afterAdded: null, firstRemoved: 0, afterRemoved: null };
      const part = change === "added" ? { firstAdded: first, afterAdded: after } : { firstRemoved: first, afterRemoved: after };
      return (await fetchAnswer(Diff, { ...question, ...none, ...part })).lineageDiff[change];
    };
  useTitle("What changed in the lineage");
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const read = (name: string) => {
      const time = new Date(String(given.get(name) ?? ""));
      return Number.isNaN(time.getTime()) ? null : time.toISOString();
    };
    navigate(changeHref(place, { from: read("from"), to: read("to") }));
  };
  const span = (days: number) =>
    changeHref(place, { from: new Date(opened - days * DAY_MS).toISOString(), to: new Date(opened).toISOString() });
  return (
    <>
      <h1 tabIndex={-1}>What changed in the lineage</h1>
      {bad.length > 0 && (
        <p className="notice warn" role="alert">
          The address has no time that can be read in: {bad.join(", ")}. The last 30 days are shown instead.
        </p>
      )}
      <form className="row row-end" onSubmit={submit} key={`${from}:${to}`}>
        <SpanFields from={from} to={to} />
        <button type="submit" className="main-button">
          Compare
        </button>
        <Link href={span(7)} className="button">
          7 days
        </Link>
        <Link href={span(30)} className="button">
          30 days
        </Link>
        <Link href={span(365)} className="button">
          A year
        </Link>
        <CopyButton content={new URL(changeHref(place, { from, to }), window.location.href).href} label={text.copyLink} />
      </form>
      <div className="row">
        <span>Near:</span>
        {of.length === 0 && <span>the whole mesh</span>}
        {names.data?.nodes.map(
          (one) =>
            one && (
              <span key={one.id}>
                <AssetLink asset={one} />{" "}
                <Link href={changeHref(place, { of: of.filter((id) => id !== one.id) })} label={`Leave out ${one.name}`}>
                  ✕
                </Link>
              </span>
            ),
        )}
        <div className="grow">
          <SearchField label="Only near this asset" onChoose={(asset) => navigate(changeHref(place, { of: [...of, asset.id] }))} />
        </div>
      </div>
      <Answered query={query}>
        {({ lineageDiff: diff }) => (
          <>
            <p role="status">
              Between {formatTime(from)} and {formatTime(to)}: {formatNumber(diff.added.totalCount)} flows added,{" "}
              {formatNumber(diff.removed.totalCount)} removed.
            </p>
            <p className="notice" data-completeness="complete">
              By the names that sources use. A flow that no source stated at either time is in neither list.
            </p>
            <Flows title="Added" sign="+" tone="good" list={diff.added} pages={added} read={readPart("added")} />
            <Flows title="Removed" sign="−" tone="bad" list={diff.removed} pages={removed} read={readPart("removed")} />
          </>
        )}
      </Answered>
    </>
  );
}

type List = DiffAnswer["lineageDiff"]["added"];
type Flow = List["nodes"][number];

function Flows(given: { title: string; sign: string; tone: string; list: List; pages: Pages; read: ReadPart<Flow> }) {
  const { title, sign, tone, list, pages, read } = given;
  const columns: FileColumn<Flow>[] = [
    ["change", () => title.toLowerCase()],
    ["from", (one) => one.fromName],
    ["to", (one) => one.toName],
    ["type", (one) => one.type],
    ["subtype", (one) => one.subtype],
    ["masking", (one) => one.masking],
    ["job", (one) => one.jobName],
    ["source", (one) => one.source],
    ["observed", (one) => one.observedAt],
  ];
  return (
    <section className="card" aria-labelledby={title}>
      <div className="row">
        <h2 id={title}>
          {title} <span className="soft">{formatNumber(list.totalCount)}</span>
        </h2>
        {list.totalCount > 0 && <SaveRows name={title.toLowerCase()} columns={columns} read={read} />}
      </div>
      <Table
        caption={title}
        rows={list.nodes}
        rowKey={(_, index) => String(index)}
        columns={[
          { head: "Change", cell: () => <Badge tone={tone}>{sign}</Badge> },
          { head: "From", cell: (row) => (row.from ? <AssetLink asset={row.from} /> : <Name text={row.fromName} />) },
          { head: "To", cell: (row) => (row.to ? <AssetLink asset={row.to} /> : <Name text={row.toName} />) },
          {
            head: "Kind",
            cell: (row) => (
              <Name
                text={`${row.type ? nameValue(row.type) : ""}${row.subtype ? `, ${nameValue(row.subtype)}` : ""}${row.masking ? ", masked" : ""}`}
                most={300}
              />
            ),
          },
          { head: "Job", cell: (row) => <Name text={row.jobName ?? ""} /> },
          { head: "Stated by", cell: (row) => <Name text={row.source} /> },
          { head: "At", cell: (row) => <When at={row.observedAt} ago={false} /> },
        ]}
      />
      <PageLine pages={pages} list={list} />
    </section>
  );
}
