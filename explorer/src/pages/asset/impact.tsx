/** The card and the tab on what breaks if an asset changes. */
import { Fragment } from "react";
import { CompletenessLine, lookBehind } from "../../completeness";
import { buildHref } from "../../location";
import { count, formatNumber } from "../../messages";
import { Answered, AssetLink, Link, Name, ReachBadge, Table } from "../../parts";
import { usePast, usePastQuery } from "../../past";
import { ImpactGap } from "../../queries/completeness";
import { ImpactSummary } from "../../queries/impact";
import { type Asset, Contact } from "./rows";

/** The words of a change of exactly this asset: by its name, or by its id if the name cannot be a word. */
function buildDrop(asset: Asset): string {
  const name = /^[\x21-\x7e]+$/.test(asset.qualifiedName) && !/["'`;,()]/.test(asset.qualifiedName) ? asset.qualifiedName : asset.id;
  return asset.kind === "COLUMN" ? `drop ${name}` : `drop table ${name}`;
}

export function ImpactCard({ asset }: { asset: Asset }) {
  const asOf = usePast();
  const query = usePastQuery(ImpactSummary, { of: [asset.id] });
  const changes = asset.kind === "COLUMN" || asset.kind === "DATASET";
  return (
    <section className="card" aria-labelledby="breaks">
      <h2 id="breaks">What breaks if it changes</h2>
      <Answered query={query}>
        {({ impact }) => {
          const consumers = impact.notify.filter((one) => one.reason === "CONSUMES").length;
          const owners = impact.notify.length - consumers;
          return (
            <>
              <p>
                {impact.total === 0 ? (
                  "Nothing that is known depends on it."
                ) : (
                  <>
                    <span className="strong">{count(impact.total, "asset", "assets")}</span> may break. Notify{" "}
                    <span className="strong">{count(consumers, "consumer", "consumers")}</span> and{" "}
                    <span className="strong">{count(owners, "owner", "owners")}</span>
                    {impact.notify.length > 0 && (
                      <>
                        :{" "}
                        {impact.notify.slice(0, 6).map((one, index) => (
                          <Fragment key={one.recipient.id}>
                            {index > 0 && ", "}
                            <AssetLink asset={one.recipient} full={false} />
                          </Fragment>
                        ))}
                        {impact.notify.length > 6 && ` and ${formatNumber(impact.notify.length - 6)} more`}
                      </>
                    )}
                    .
                  </>
                )}
              </p>
              <CompletenessLine completeness={impact.completeness} behind={lookBehind(ImpactGap, { of: [asset.id], asOf })} />
            </>
          );
        }}
      </Answered>
      <div className="row">
        <Link href={buildHref("/impact", { of: asset.id })} className="button main-button">
          See all who break, and whose it is
        </Link>
        <Link href={buildHref("/lineage", { of: asset.id, dir: "both" })} className="button">
          Lineage
        </Link>
        <Link href={buildHref("/impact", { of: asset.id, dir: "up" })} className="button">
          Where it comes from
        </Link>
        {changes && (
          <Link href={buildHref("/change", { words: buildDrop(asset) })} className="button">
            Check a change
          </Link>
        )}
      </div>
    </section>
  );
}

export function ImpactTab({ id }: { id: string }) {
  const asOf = usePast();
  const query = usePastQuery(ImpactSummary, { of: [id] });
  return (
    <Answered query={query}>
      {({ impact }) => (
        <>
          <p>
            {impact.byReach.map((one) => `${formatNumber(one.count)} ${one.label.toLowerCase()}`).join(", ") ||
              "Nothing that is known depends on it."}
          </p>
          <Table
            caption="Recipients to notify"
            rows={impact.notify}
            rowKey={(row) => row.recipient.id}
            columns={[
              { head: "Recipient", cell: (row) => <AssetLink asset={row.recipient} full={false} /> },
              { head: "Because it", cell: (row) => <Name text={row.why} most={300} /> },
              { head: "Certainty", cell: (row) => <ReachBadge reach={row.reach} /> },
              {
                head: "Contact",
                cell: (row) => (row.contact ? <Contact contact={row.contact} /> : <span className="soft">not known</span>),
              },
            ]}
          />
          <CompletenessLine completeness={impact.completeness} behind={lookBehind(ImpactGap, { of: [id], asOf })} />
        </>
      )}
    </Answered>
  );
}
