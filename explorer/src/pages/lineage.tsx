/** The lineage of some assets: as a picture with its tree, or as two lists, what is before and what is behind them, hop by hop. */
import { lazy, Suspense, useCallback, useMemo } from "react";
import { useQuery } from "../client";
import { SearchField } from "../combobox";
import { type Behind, CompletenessLine, lookBehind } from "../completeness";
import { buildAssetHref, buildHref, changeHref, navigate, readChoice, readList, readTime, usePlace } from "../location";
import { count, formatNumber, nameKinds, text } from "../messages";
import { nameWithin } from "../names";
import { Answered, AssetLink, CopyButton, Link, Name, OwnerLinks, ReachBadge } from "../parts";
import { useNames } from "../past";
import { LineageGap } from "../queries/completeness";
import { type Granularity, LineageList, type LineageListAnswer, type Reach } from "../queries/lineage";
import { useTitle } from "../title";

const LineageCanvas = lazy(() => import("../canvas"));

const GRANULARITIES = ["DOMAIN", "PRODUCT", "DATASET", "COLUMN"] as const satisfies readonly Granularity[];
const REACHES = ["DIRECT", "INDIRECT", "POSSIBLE"] as const satisfies readonly Reach[];
const DIRECTIONS = ["both", "up", "down"] as const;
const LIMIT = 500;
const NATURAL: Record<string, Granularity> = { COLUMN: "COLUMN", DATA_PRODUCT: "PRODUCT", DOMAIN: "DOMAIN" };

export default function LineagePage() {
  const place = usePlace();
  const { path, search } = place;
  const of = useMemo(() => readList(search, "of"), [search]);
  const asList = search.get("as") === "list";
  const setSearch = useCallback(
    (next: URLSearchParams, options?: { replace?: boolean }) => navigate(`${path}?${next}`, { ...options, exact: true }),
    [path],
  );
  const openAsset = useCallback((id: string) => navigate(buildAssetHref(id)), []);
  const { starts, loading } = useNames(of);
  const kinds = new Set(starts.map((one) => one.kind));
  const natural = kinds.size === 1 ? NATURAL[[...kinds][0] ?? ""] : undefined;
  const granularity = readChoice(place.search, "g", GRANULARITIES, natural ?? "DATASET");
  const direction = readChoice(place.search, "dir", DIRECTIONS, "both");
  const reach = readChoice(place.search, "reach", REACHES, "POSSIBLE");
  const given = place.search.get("depth");
  const depth = given === "all" ? null : Math.min(100, Math.max(1, Number.parseInt(given ?? "1", 10) || 1));
  const asOf = readTime(place.search, "asOf");
  const query = useQuery(
    LineageList,
    asList && starts.length > 0
      ? { of, up: direction !== "down", down: direction !== "up", depth, granularity, reach, asOf, limit: LIMIT }
      : null,
  );
  const behind = (side: "UPSTREAM" | "DOWNSTREAM") =>
    lookBehind(LineageGap, { of, direction: side, depth, granularity, reach, asOf, limit: LIMIT });
  const busy = (
    <p className="busy" aria-busy="true">
      {text.loading}
    </p>
  );
  const named = starts.map(nameWithin).join(", ");
  useTitle(`Lineage${named && ` of ${named}`}`);
  const choose = (name: string) => (event: { target: { value: string } }) =>
    navigate(changeHref(place, { [name]: event.target.value.toLowerCase() }));
  return (
    <>
      <div className="head">
        <p className="kicker">Lineage</p>
        <h1 tabIndex={-1}>
          {of.length === 0 ? (
            "Lineage of what?"
          ) : starts.length > 3 ? (
            count(starts.length, "asset", "assets")
          ) : (
            <Name text={named || "…"} />
          )}
        </h1>
      </div>
      {of.length === 0 ? (
        <SearchField
          large
          autoFocus
          label="Find an asset"
          onChoose={(asset) => navigate(buildHref("/lineage", { of: asset.id, dir: "both" }))}
        />
      ) : (
        <>
          <div className="row">
            <Link href={changeHref(place, { as: asList ? null : "list", reach: null, depth: null })} className="button">
              {asList ? "Show as a picture" : "Show as lists"}
            </Link>
            <Link href={buildHref("/impact", { of })} className="button">
              What breaks
            </Link>
          </div>
          {loading && starts.length === 0 && busy}
          {!asList && starts.length > 0 && (
            <Suspense fallback={busy}>
              <LineageCanvas of={of} level={natural ?? "DATASET"} search={search} setSearch={setSearch} openAsset={openAsset} />
            </Suspense>
          )}
          {asList && (
            <div className="row row-end">
              <label className="field">
                <span>Level</span>
                <select value={granularity} onChange={choose("g")}>
                  {GRANULARITIES.map((one) => (
                    <option key={one} value={one}>
                      {nameKinds(one === "PRODUCT" ? "DATA_PRODUCT" : one)}
                    </option>
                  ))}
                </select>
              </label>
              <label className="field">
                <span>Direction</span>
                <select value={direction} onChange={choose("dir")}>
                  <option value="both">both</option>
                  <option value="up">upstream</option>
                  <option value="down">downstream</option>
                </select>
              </label>
              <label className="field">
                <span>Steps</span>
                <select value={depth ?? "all"} onChange={choose("depth")}>
                  {[1, 2, 3, 5, 10].map((one) => (
                    <option key={one} value={one}>
                      {formatNumber(one)}
                    </option>
                  ))}
                  <option value="all">to the end</option>
                </select>
              </label>
              <label className="field">
                <span>Follow</span>
                <select value={reach} onChange={choose("reach")}>
                  <option value="DIRECT">direct flows only</option>
                  <option value="INDIRECT">direct and indirect</option>
                  <option value="POSSIBLE">all, also possible</option>
                </select>
              </label>
              <CopyButton content={window.location.href} label={text.copyLink} />
            </div>
          )}
          {!loading && starts.length === 0 && <p className="notice warn">{text.unknownAssetHelp}</p>}
          {asList && starts.length > 0 && (
            <Answered query={query}>
              {({ upstream, downstream }) => (
                <div className="columns">
                  {upstream && <Side title="Upstream: it comes from" side={upstream} behind={behind("UPSTREAM")} />}
                  {downstream && <Side title="Downstream: it goes to" side={downstream} behind={behind("DOWNSTREAM")} />}
                </div>
              )}
            </Answered>
          )}
        </>
      )}
    </>
  );
}

type SideAnswer = NonNullable<LineageListAnswer["upstream"]>;

function Side({ title, side, behind }: { title: string; side: SideAnswer; behind: Behind }) {
  const place = usePlace();
  const hops = new Map<number, SideAnswer["nodes"]>();
  for (const node of side.nodes) if (!node.start) hops.set(node.distance, [...(hops.get(node.distance) ?? []), node]);
  const found = side.nodes.filter((node) => !node.start).length;
  return (
    <section className="card" aria-label={title}>
      <h2>
        {title} <span className="soft">{formatNumber(found)}</span>
      </h2>
      {found === 0 && <p className="soft">{text.none}</p>}
      {[...hops]
        .sort(([one], [other]) => one - other)
        .map(([distance, nodes]) => (
          <div key={distance}>
            <h3>
              {count(distance, "step", "steps")} <span className="soft">{formatNumber(nodes.length)}</span>
            </h3>
            <ul className="plain items">
              {nodes.map((node) => (
                <li key={node.asset.id}>
                  <AssetLink asset={node.asset} /> <ReachBadge reach={node.reach} masked={node.masked} />{" "}
                  <span className="soft">
                    <OwnerLinks owners={node.asset.owners} /> · <Link href={changeHref(place, { of: node.asset.id })}>centre</Link>
                  </span>
                </li>
              ))}
            </ul>
          </div>
        ))}
      <CompletenessLine
        completeness={side.completeness}
        behind={behind}
        extra={
          side.ungrouped > 0
            ? [
                {
                  short: `${count(side.ungrouped, "dataset", "datasets")} in no group`,
                  long: "They are reached, but belong to no product or domain, and are not in this list.",
                },
              ]
            : []
        }
      />
    </section>
  );
}
