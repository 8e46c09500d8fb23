/** The tab of what an asset comes from directly, and where it goes. */
import { CompletenessLine, lookBehind } from "../../completeness";
import { buildHref } from "../../location";
import { count, formatNumber, nameSubtype, text } from "../../messages";
import { Answered, AssetLink, AssetLinks, Link, Name, ReachBadge } from "../../parts";
import { usePast, usePastQuery } from "../../past";
import { type Granularity, Neighbours } from "../../queries/asset";
import { LineageGap } from "../../queries/completeness";

export function NeighbourTab({ id, granularity }: { id: string; granularity: Granularity }) {
  const asOf = usePast();
  const query = usePastQuery(Neighbours, { id: [id], granularity });
  const behind = (direction: "UPSTREAM" | "DOWNSTREAM") =>
    lookBehind(LineageGap, { of: [id], direction, depth: 1, granularity, reach: "POSSIBLE", asOf, limit: 200 });
  return (
    <>
      <Answered query={query}>
        {({ into, out }) => (
          <>
            <div className="columns">
              <div className="stack">
                <Edges title="Comes from" edges={into.edges.filter((edge) => edge.to.id === id)} end={(edge) => edge.from} />
                <CompletenessLine completeness={into.completeness} behind={behind("UPSTREAM")} />
              </div>
              <div className="stack">
                <Edges title="Goes to" edges={out.edges.filter((edge) => edge.from.id === id)} end={(edge) => edge.to} />
                <CompletenessLine completeness={out.completeness} behind={behind("DOWNSTREAM")} />
              </div>
            </div>
          </>
        )}
      </Answered>
      <div className="row">
        <Link href={buildHref("/lineage", { of: id, dir: "both", g: granularity.toLowerCase() })} className="button">
          Open the whole lineage
        </Link>
      </div>
    </>
  );
}

interface EdgeLike {
  from: { id: string; kind: string; name: string; qualifiedName: string };
  to: { id: string; kind: string; name: string; qualifiedName: string };
  reach: string;
  type: string | null;
  subtype: string;
  masking: boolean;
  count: number;
  jobs: { id: string; kind: string; name: string; qualifiedName: string }[];
}

function Edges({ title, edges, end }: { title: string; edges: readonly EdgeLike[]; end: (edge: EdgeLike) => EdgeLike["from"] }) {
  return (
    <div>
      <h3>
        {title} <span className="soft">{formatNumber(edges.length)}</span>
      </h3>
      {edges.length === 0 ? (
        <p className="soft">{text.none}</p>
      ) : (
        <ul className="plain items">
          {edges.map((edge, index) => (
            <li key={index}>
              <AssetLink asset={end(edge)} /> <ReachBadge reach={edge.reach} />{" "}
              <span className="soft">
                <Name text={nameSubtype(edge.subtype)} />
                {edge.masking && ", masked"}
                {edge.count > 1 && `, ${count(edge.count, "flow", "flows")}`}
                {edge.jobs.length > 0 && (
                  <>
                    , by <AssetLinks assets={edge.jobs} most={3} />
                  </>
                )}
                , <Link href={buildHref("/why", { from: edge.from.id, to: edge.to.id })}>why?</Link>
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
