/** How data flows from one asset to another: the surest paths, step by step, with the SQL of each job. */
import { useQuery } from "../client";
import { SearchField } from "../combobox";
import { CompletenessLine, lookBehind } from "../completeness";
import { buildHref, changeHref, navigate, readTime, usePlace } from "../location";
import { count, nameSubtype, text } from "../messages";
import { nameWithin } from "../names";
import { Answered, AssetLink, Badge, CopyButton, Link, Name, Prose, ReachBadge, When } from "../parts";
import { useNames, usePastQuery } from "../past";
import { ImpactGap } from "../queries/completeness";
import { JobSql, Why, type WhyAnswer } from "../queries/why";
import { useTitle } from "../title";

const MOST = 10;

export default function WhyPage() {
  const place = usePlace();
  const from = place.search.get("from");
  const to = place.search.get("to");
  const asOf = readTime(place.search, "asOf");
  const start = useNames(from ? [from] : []).starts[0] ?? null;
  const end = useNames(to ? [to] : []).starts[0] ?? null;
  const query = useQuery(Why, from && to ? { from, to, first: MOST, asOf } : null);
  useTitle(`Why: ${start ? nameWithin(start) : "…"} to ${end ? nameWithin(end) : "…"}`);
  return (
    <>
      <div className="head">
        <p className="kicker">Paths</p>
        <h1 tabIndex={-1}>
          {start && end ? (
            <>
              Why <Name text={nameWithin(end)} /> depends on <Name text={nameWithin(start)} />
            </>
          ) : (
            "Why does one depend on the other?"
          )}
        </h1>
      </div>
      <div className="columns">
        <div className="card">
          <h2>From</h2>
          {start && (
            <p>
              <AssetLink asset={start} kind />
            </p>
          )}
          <SearchField
            label={start ? "Another start" : "Find the start"}
            kinds={["COLUMN", "DATASET"]}
            onChoose={(asset) => navigate(changeHref(place, { from: asset.id }))}
          />
        </div>
        <div className="card">
          <h2>To</h2>
          {end && (
            <p>
              <AssetLink asset={end} kind />
            </p>
          )}
          <SearchField
            label={end ? "Another end" : "Find the end"}
            kinds={["COLUMN", "DATASET"]}
            onChoose={(asset) => navigate(changeHref(place, { to: asset.id }))}
          />
        </div>
      </div>
      {from && to && (
        <Answered query={query}>
          {({ paths, impact }) => (
            <>
              <div className="row">
                <p role="status">
                  {paths.length === 0
                    ? "No path is known by which data flows from the one to the other."
                    : `${count(paths.length, "path", "paths")}, the most certain first${paths.length === MOST ? "; there may be more" : ""}.`}
                </p>
                {paths.length === 0 && (
                  <Link href={changeHref(place, { from: to, to: from })} className="button">
                    Look in the other direction
                  </Link>
                )}
                <Link href={buildHref("/lineage", { of: [from, to], dir: "both" })} className="button">
                  Lineage
                </Link>
                <CopyButton content={window.location.href} label={text.copyLink} />
              </div>
              <CompletenessLine completeness={impact.completeness} behind={lookBehind(ImpactGap, { of: [from], asOf })} />
              <Paths paths={paths} />
            </>
          )}
        </Answered>
      )}
    </>
  );
}

function Paths({ paths }: { paths: WhyAnswer["paths"] }) {
  const jobs = [...new Set(paths.flatMap((path) => path.steps.flatMap((step) => (step.job ? [step.job.id] : []))))];
  const sql = usePastQuery(JobSql, jobs.length > 0 ? { ids: jobs } : null);
  const texts = new Map(
    sql.data?.nodes.flatMap((node, index) => (node?.__typename === "Job" && node.sql !== null ? [[jobs[index], node.sql]] : [])),
  );
  return (
    <>
      {paths.map((path, index) => (
        <section key={index} className="card" aria-labelledby={`path-${index}`}>
          <h2 id={`path-${index}`}>
            Path {index + 1}: {count(path.steps.length - 1, "step", "steps")}
          </h2>
          <ol className="steps">
            {path.steps.map((step, at) => (
              <li key={at} className={step.reach?.toLowerCase()}>
                {step.edgeType && (
                  <p className="soft">
                    <ReachBadge reach={step.reach} />{" "}
                    {step.edgeType === "HAS_COLUMN" ? (
                      "between a dataset and its column"
                    ) : (
                      <Name text={nameSubtype(step.subtype ?? step.edgeType)} />
                    )}{" "}
                    {step.masking && <Badge>masks the values</Badge>}
                    {step.job && (
                      <>
                        {" "}
                        by job <AssetLink asset={step.job} />
                      </>
                    )}
                    {step.source && (
                      <>
                        , stated by <Name text={step.source} />
                      </>
                    )}
                    {step.lastObserved && (
                      <>
                        , last <When at={step.lastObserved} />
                      </>
                    )}
                  </p>
                )}
                <p>
                  <AssetLink asset={step.asset} kind />
                </p>
                {step.job && texts.has(step.job.id) && (
                  <details>
                    <summary>SQL of the job that wrote it</summary>
                    <pre>
                      <Prose text={texts.get(step.job.id) ?? ""} />
                    </pre>
                  </details>
                )}
              </li>
            ))}
          </ol>
        </section>
      ))}
    </>
  );
}
