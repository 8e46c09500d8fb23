/** The tabs of a domain and of an owner: what is theirs. */
import { count, formatNumber, nameKind } from "../../messages";
import { PageLine, usePages } from "../../paging";
import { Answered, AssetLink, AssetLinks, Link, ListLine, StandingBadge, Table } from "../../parts";
import { usePastQuery } from "../../past";
import { DomainDetails, OwnerDetails } from "../../queries/asset";
import type { AssetKind } from "../../queries/search";

const PAGE = 500;
const OWNED: AssetKind[] = ["DOMAIN", "DATA_PRODUCT", "DATASET", "CONTRACT", "CONSUMER", "JOB"];

export function DomainTab({ id }: { id: string }) {
  const query = usePastQuery(DomainDetails, { id });
  return (
    <Answered query={query}>
      {({ node, coverage }) => {
        const covered = coverage.byDomain.find((one) => one.domain?.id === id)?.covered;
        return (
          node?.__typename === "Domain" && (
            <>
              {covered && (
                <p>
                  {count(covered.datasets, "dataset", "datasets")}: {formatNumber(covered.described)} with listed columns,{" "}
                  {formatNumber(covered.owned)} owned, {formatNumber(covered.withLineage)} with lineage,{" "}
                  {formatNumber(covered.withColumnLineage)} with column lineage.
                </p>
              )}
              <h3>Domains below it</h3>
              <p>
                <AssetLinks assets={node.subdomains} />
              </p>
              <h3>Products</h3>
              <Table
                caption="Products"
                rows={node.products}
                rowKey={(row) => row.id}
                columns={[
                  { head: "Product", cell: (row) => <AssetLink asset={row} full={false} /> },
                  { head: "Promises", cell: (row) => <StandingBadge standing={row.health.state} /> },
                ]}
              />
              <h3>Datasets</h3>
              <ul className="plain items">
                {node.datasets.nodes.map((one) => (
                  <li key={one.id}>
                    <AssetLink asset={one} />
                  </li>
                ))}
              </ul>
              <ListLine shown={node.datasets.nodes.length} total={node.datasets.totalCount} />
              {node.datasets.nodes.length < node.datasets.totalCount && (
                <p>
                  <Link href={`/datasets?domain=${id}`}>All datasets of this domain</Link>
                </p>
              )}
            </>
          )
        );
      }}
    </Answered>
  );
}

export function OwnerTab({ id }: { id: string }) {
  const pages = usePages(id, PAGE);
  const query = usePastQuery(OwnerDetails, { id, kinds: OWNED, first: pages.first, after: pages.after });
  return (
    <Answered query={query}>
      {({ ownedBy }) => (
        <>
          <Table
            caption="Assets that it owns"
            rows={ownedBy.nodes}
            rowKey={(row) => row.id}
            columns={[
              { head: "Kind", cell: (row) => nameKind(row.kind) },
              { head: "Asset", cell: (row) => <AssetLink asset={row} /> },
            ]}
          />
          <PageLine pages={pages} list={ownedBy} />
        </>
      )}
    </Answered>
  );
}
