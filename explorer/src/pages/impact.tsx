/** Who is hit by a change of some assets, or where they come from: totals, groups, the list with its paths, recipients, CSV. */
import { Fragment, useState } from "react";
import { announce } from "../announcer";
import { AnswerError, fetchAnswer, useQuery } from "../client";
import { SearchField } from "../combobox";
import { CompletenessLine, lookBehind } from "../completeness";
import { buildCsv, saveFile } from "../files";
import { buildHref, changeHref, navigate, type Place, readChoice, readList, readTime, usePlace } from "../location";
import { capitalize, count, formatNumber, formatTime, nameKind, nameKinds, nameValue, REACHES, text } from "../messages";
import { nameWithin } from "../names";
import {
  Answered,
  type AssetLike,
  AssetLink,
  AssetLinks,
  CopyButton,
  Link,
  ListLine,
  Name,
  OwnerLinks,
  type OwnershipLike,
  PathLine,
  ReachBadge,
  RecipientContact,
  Table,
} from "../parts";
import { useNames } from "../past";
import { ImpactGap, ProvenanceGap } from "../queries/completeness";
import { type AssetKind, Impact, type ImpactAnswer, type ImpactVariables, Provenance, type Reach } from "../queries/impact";
import { useTitle } from "../title";

const PAGE = 50;
const MOST = 1000;
const ORDERS = ["REACH", "DISTANCE", "KIND", "NAME"] as const;
const REACH_NAMES = ["DIRECT", "INDIRECT", "POSSIBLE"] as const;

type Answer = ImpactAnswer["impact"];
type Answers = Pick<ImpactAnswer, "impact"> & Partial<ImpactAnswer>; // that of Provenance has no starts

function readVariables(place: Place, first: number): ImpactVariables {
  const kind = place.search.get("kind")?.toUpperCase();
  const masked = place.search.get("masked");
  const reach = readList(place.search, "reach")
    .map((one) => one.toUpperCase())
    .filter((one): one is Reach => REACH_NAMES.some((known) => known === one));
  return {
    of: readList(place.search, "of"),
    reach: reach.length > 0 ? reach : null,
    kinds:
      kind && kind in { DOMAIN: 1, DATA_PRODUCT: 1, DATASET: 1, COLUMN: 1, JOB: 1, CONSUMER: 1, CONTRACT: 1 } ? [kind as AssetKind] : null,
    domain: place.search.get("domain"),
    product: place.search.get("product"),
    owner: place.search.get("owner"),
    reader: place.search.get("reader"),
    masked: masked === "yes" ? true : masked === "no" ? false : null,
    order: readChoice(place.search, "order", ORDERS, "REACH"),
    first,
    after: null,
    asOf: readTime(place.search, "asOf"),
  };
}

export default function ImpactPage() {
  const place = usePlace();
  const of = readList(place.search, "of");
  const up = place.search.get("dir") === "up";
  const { starts } = useNames(of);
  const named = starts.map(nameWithin).join(", ");
  useTitle(up ? `Where ${named || "it"} comes from` : `What breaks if ${named || "it"} changes`);
  const choose = (id: string) => navigate(changeHref(place, { of: [...of, id] }));
  return (
    <>
      <div className="head">
        <p className="kicker">{up ? "Provenance" : "Impact"}</p>
        <h1 tabIndex={-1}>
          {of.length === 0 ? (
            "What breaks?"
          ) : up ? (
            <>
              Where <Starts starts={starts} /> comes from
            </>
          ) : (
            <>
              What breaks if <Starts starts={starts} /> changes
            </>
          )}
        </h1>
        {starts.map((one) => (
          <p key={one.id} className="mono soft">
            <AssetLink asset={one} />
          </p>
        ))}
      </div>
      {of.length === 0 && <SearchField large autoFocus label="Find what you want to change" onChoose={(asset) => choose(asset.id)} />}
      {of.length > 0 && (
        <div className="row">
          <Link href={changeHref(place, { dir: up ? null : "up" })} className="button">
            {up ? "What breaks" : "Where it comes from"}
          </Link>
          <Link href={buildHref("/lineage", { of, dir: up ? "up" : "down" })} className="button">
            Lineage
          </Link>
          <CopyButton content={window.location.href} label={text.copyLink} />
        </div>
      )}
      {of.length > 0 && <Found place={place} up={up} start={named} />}
    </>
  );
}

function Starts({ starts }: { starts: readonly AssetLike[] }) {
  if (starts.length === 0) return <>…</>;
  if (starts.length > 3) return <>{count(starts.length, "asset", "assets")}</>;
  return (
    <>
      {starts.map((one, index) => (
        <span key={one.id}>
          {index > 0 && ", "}
          <Name text={nameWithin(one)} />
        </span>
      ))}
    </>
  );
}

function Found({ place, up, start }: { place: Place; up: boolean; start: string }) {
  const [first, setFirst] = useState(PAGE);
  const operation = up ? Provenance : Impact;
  const query = useQuery(operation, readVariables(place, first));
  return (
    <Answered query={query}>
      {({ impact, starts = [] }: Answers) => (
        <>
          <p role="status">
            {impact.total === 0 ? (
              up ? (
                "Nothing is known that it comes from."
              ) : (
                "Nothing that is known depends on it."
              )
            ) : (
              <>
                <span className="strong">{count(impact.total, "asset", "assets")}</span>:{" "}
                {impact.byReach.map((one, index) => (
                  <span key={one.key}>
                    {index > 0 && ", "}
                    {formatNumber(one.count)} {REACHES[one.key]?.name ?? one.key}
                  </span>
                ))}
                .{" "}
                {impact.byKind
                  .map((one) => `${formatNumber(one.count)} ${one.count === 1 ? nameKind(one.key) : nameKinds(one.key)}`)
                  .join(", ")}
                .
              </>
            )}
          </p>
          <CompletenessLine
            completeness={impact.completeness}
            behind={lookBehind(up ? ProvenanceGap : ImpactGap, { of: readList(place.search, "of"), asOf: readTime(place.search, "asOf") })}
          />
          {!up && <Recipients notify={impact.notify} changed={starts.flatMap((one) => one?.owners ?? [])} start={start} />}
          {up && <ListedOwners notify={impact.notify} />}
          <Groups impact={impact} place={place} />
          <section className="card" aria-labelledby="affected">
            <div className="row">
              <h2 id="affected">
                {up ? "What it comes from" : "What is affected"} <span className="soft">{formatNumber(impact.assets.totalCount)}</span>
              </h2>
              <label className="row">
                <span>Order by</span>
                <select
                  value={readChoice(place.search, "order", ORDERS, "REACH")}
                  onChange={(event) => navigate(changeHref(place, { order: event.target.value.toLowerCase() }), { replace: true })}
                >
                  {ORDERS.map((one) => (
                    <option key={one} value={one}>
                      {one === "REACH" ? "certainty" : nameValue(one)}
                    </option>
                  ))}
                </select>
              </label>
              <SaveCsv place={place} up={up} />
            </div>
            <Table
              caption={up ? "What it comes from" : "What is affected"}
              rows={impact.assets.nodes}
              rowKey={(row) => row.node.id}
              columns={[
                { head: "Kind", cell: (row) => nameKind(row.node.kind) },
                { head: "Asset", cell: (row) => <AssetLink asset={row.node} /> },
                { head: "Certainty", cell: (row) => <ReachBadge reach={row.reach} masked={row.masked} /> },
                { head: "Steps", number: true, cell: (row) => formatNumber(row.distance) },
                { head: "Owner", cell: (row) => (row.node.kind === "OWNER" ? "" : <OwnerLinks owners={row.node.owners} />) },
                {
                  head: "How",
                  cell: (row) =>
                    row.via.length > 1 && (
                      <details>
                        <summary>Path</summary>
                        <PathLine steps={row.via} />
                      </details>
                    ),
                },
              ]}
            />
            <ListLine shown={impact.assets.nodes.length} total={impact.assets.totalCount} />
            {impact.assets.pageInfo.hasNextPage && first < MOST && (
              <div>
                <button type="button" onClick={() => setFirst(Math.min(MOST, first * 4))}>
                  {text.more}
                </button>
              </div>
            )}
            {impact.assets.pageInfo.hasNextPage && first >= MOST && <p className="soft">The rest is in the CSV.</p>}
          </section>
        </>
      )}
    </Answered>
  );
}

function Recipients({ notify, changed, start }: { notify: Answer["notify"]; changed: readonly OwnershipLike[]; start: string }) {
  if (notify.length === 0 && changed.length === 0) return null;
  const consumers = notify.filter((one) => one.reason === "CONSUMES");
  const owners = notify.filter((one) => one.reason === "OWNS");
  const save = () => {
    const rows = notify.map((one) => [
      one.recipient.name,
      nameKind(one.recipient.kind),
      one.reason.toLowerCase(),
      one.reach.toLowerCase(),
      one.total,
      one.contact,
      one.recipient.owners.map(({ owner }) => (owner.contact ? `${owner.name} (${owner.contact})` : owner.name)).join("; "),
      one.why,
    ]);
    saveFile(
      `notify-${start}.csv`,
      "text/csv;charset=utf-8",
      `\uFEFF${buildCsv([["recipient", "kind", "reason", "reach", "assets", "contact", "owners", "why"], ...rows])}`,
    );
    announce("Saved.");
  };
  return (
    <section className="card" aria-labelledby="notify">
      <div className="row">
        <h2 id="notify">
          Notify {count(consumers.length, "consumer", "consumers")} and {count(owners.length, "owner", "owners")}
        </h2>
        <button type="button" onClick={save}>
          {text.csv}
        </button>
      </div>
      {changed.length > 0 && (
        <p>
          {text.ownersOfChanged} <OwnerLinks owners={changed} />. <span className="soft">{text.ownersOfChangedToo}</span>
        </p>
      )}
      <h3>Consumers</h3>
      <RecipientTable rows={consumers} caption="Consumers to notify" />
      <h3>Owners</h3>
      <RecipientTable rows={owners} caption="Owners to notify" />
    </section>
  );
}

const MOST_RECIPIENTS = 50;

function RecipientTable({ rows, caption }: { rows: Answer["notify"]; caption: string }) {
  const [all, setAll] = useState(false);
  return (
    <>
      <RecipientRows rows={all ? rows : rows.slice(0, MOST_RECIPIENTS)} caption={caption} />
      {rows.length > MOST_RECIPIENTS && !all && (
        <div>
          <button type="button" onClick={() => setAll(true)}>
            and {formatNumber(rows.length - MOST_RECIPIENTS)} more
          </button>
        </div>
      )}
    </>
  );
}

function RecipientRows({ rows, caption }: { rows: Answer["notify"]; caption: string }) {
  return (
    <Table
      caption={caption}
      rows={rows}
      rowKey={(row) => `${row.recipient.id}:${row.reason}`}
      columns={[
        { head: "Recipient", cell: (row) => <AssetLink asset={row.recipient} full={false} /> },
        { head: "Certainty", cell: (row) => <ReachBadge reach={row.reach} /> },
        { head: "Why", cell: (row) => <NoticeReason row={row} /> },
        {
          head: "Contact",
          cell: (row) => <RecipientContact contact={row.contact && <Name text={row.contact} />} owners={row.recipient.owners} />,
        },
      ]}
    />
  );
}

/** How a recipient is concerned: the relation, and links to the assets; of an owner by contract the contract. */
export function NoticeReason({ row }: { row: Pick<Answer["notify"][number], "why" | "reason" | "assets" | "byContract" | "total"> }) {
  // The server names no asset of a consumer that it does not know to use anything that is affected; then its words are all there is.
  if (row.assets.length === 0) return <Name text={row.why} most={300} />;
  return (
    <>
      {row.reason === "OWNS" ? "owns" : "consumes"}{" "}
      {row.assets.map((asset, index) => {
        const contracts = row.byContract.filter((one) => one.asset.id === asset.id).map((one) => one.contract);
        return (
          <Fragment key={asset.id}>
            {index > 0 && ", "}
            <AssetLink asset={asset} />
            {contracts.length > 0 && (
              <>
                {" "}
                (by contract <AssetLinks assets={contracts} />)
              </>
            )}
          </Fragment>
        );
      })}
      {row.total > row.assets.length && <span className="soft"> and {formatNumber(row.total - row.assets.length)} more</span>}
    </>
  );
}

function ListedOwners({ notify }: { notify: Answer["notify"] }) {
  const owners = notify.filter((one) => one.reason === "OWNS");
  if (owners.length === 0) return null;
  return (
    <section className="card" aria-labelledby="owners">
      <h2 id="owners">Whose it is</h2>
      <RecipientTable rows={owners} caption="Owners" />
    </section>
  );
}

const GROUPS = [
  ["owner", "byOwner", "Owner"],
  ["reader", "byReader", "May be read by"],
  ["domain", "byDomain", "Domain"],
  ["product", "byProduct", "Product"],
  ["kind", "byKind", "Kind"],
  ["reach", "byReach", "Certainty"],
] as const;

const MOST_GROUPS = 12;

/** The groups of the answer; each narrows the list below. */
function Groups({ impact, place }: { impact: Answer; place: Place }) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const active = GROUPS.filter(([name]) => place.search.get(name));
  return (
    <section className="card" aria-labelledby="groups">
      <div className="row">
        <h2 id="groups">By group</h2>
        {(active.length > 0 || place.search.get("masked")) && (
          <Link
            href={changeHref(place, { owner: null, reader: null, domain: null, product: null, kind: null, reach: null, masked: null })}
            className="button"
          >
            Show all again
          </Link>
        )}
      </div>
      <div className="columns">
        {GROUPS.filter(([name, field]) => name !== "reader" || impact[field].some((one) => one.key !== "")).map(([name, field, title]) => (
          <div key={name}>
            <h3>{title}</h3>
            <ul className="plain">
              {impact[field].slice(0, open.has(field) ? undefined : MOST_GROUPS).map((one) => {
                const chosen = place.search.get(name)?.toLowerCase() === one.key.toLowerCase();
                const label = name === "kind" ? nameKinds(one.key) : name === "reach" ? (REACHES[one.key]?.name ?? one.key) : one.label;
                return (
                  <li key={one.key}>
                    {one.key === "" ? (
                      <span className="soft">in none</span>
                    ) : (
                      <Link
                        href={changeHref(place, {
                          [name]: chosen ? null : name === "kind" || name === "reach" ? one.key.toLowerCase() : one.key,
                        })}
                        current={chosen}
                      >
                        <Name text={label} />
                      </Link>
                    )}{" "}
                    <span className="soft">{formatNumber(one.count)}</span>
                    {chosen && " (shown)"}
                  </li>
                );
              })}
              {impact[field].length > MOST_GROUPS && !open.has(field) && (
                <li>
                  <button type="button" onClick={() => setOpen(new Set([...open, field]))}>
                    and {formatNumber(impact[field].length - MOST_GROUPS)} more
                  </button>
                </li>
              )}
              {impact[field].length === 0 && <li className="soft">{text.none}</li>}
            </ul>
          </div>
        ))}
        <div>
          <h3>Masking</h3>
          <ul className="plain">
            {(["yes", "no"] as const).map((one) => (
              <li key={one}>
                <Link
                  href={changeHref(place, { masked: place.search.get("masked") === one ? null : one })}
                  current={place.search.get("masked") === one}
                >
                  {one === "yes" ? "masked on every path" : "not masked"}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      </div>
    </section>
  );
}

/** Saves the whole list with the filters of the page, page by page, and the completeness in its first rows. */
function SaveCsv({ place, up }: { place: Place; up: boolean }) {
  const [state, setState] = useState("");
  const save = async () => {
    setState("Loading …");
    const operation = up ? Provenance : Impact;
    const rows: (string | number | boolean | null)[][] = [];
    let after: string | null = null;
    try {
      let impact: Answer;
      do {
        impact = (await fetchAnswer(operation, { ...readVariables(place, MOST), after })).impact;
        for (const { node, reach, distance, masked, via } of impact.assets.nodes)
          rows.push([
            nameKind(node.kind),
            node.qualifiedName,
            reach.toLowerCase(),
            distance,
            masked,
            node.owners.map((one) => one.owner.name).join("; "),
            node.domain?.name ?? "",
            via.map((step) => step.asset.qualifiedName).join(" > "),
            node.id,
          ]);
        after = impact.assets.pageInfo.hasNextPage ? impact.assets.pageInfo.endCursor : null;
        setState(`${formatNumber(rows.length)} of ${formatNumber(impact.assets.totalCount)} …`);
      } while (after !== null);
      const { completeness } = impact;
      const head = [
        ["# from", window.location.href],
        ["# at", formatTime(new Date().toISOString()), "revision", completeness.revision],
        [
          "# completeness",
          `truncated ${completeness.truncated}, possibleOnly ${completeness.possibleOnly}, undescribed ${completeness.undescribed}, stale ${completeness.staleEdges}, provisional ${completeness.provisional}, unbound ${completeness.unbound}, silentOnFilters ${completeness.silentOnFilters}, hidden ${completeness.hidden.reduce((sum, one) => sum + one.count, 0)}`,
        ],
        ["kind", "asset", "reach", "steps", "masked", "owners", "domain", "path", "id"],
      ];
      saveFile(`${up ? "provenance" : "impact"}.csv`, "text/csv;charset=utf-8", `\uFEFF${buildCsv([...head, ...rows])}`);
      setState("");
      announce(`${capitalize(count(rows.length, "row", "rows"))} saved.`);
    } catch (error) {
      setState(error instanceof AnswerError ? error.message : String(error));
    }
  };
  return (
    <>
      <button type="button" onClick={() => void save()}>
        {text.csv}
      </button>
      <span role="status">{state}</span>
    </>
  );
}
