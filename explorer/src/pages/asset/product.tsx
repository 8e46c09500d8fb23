/** The tabs of a data product. */
import { useQuery } from "../../client";
import { CompletenessLine, lookBehind } from "../../completeness";
import { formatNumber, formatSeconds, nameValue } from "../../messages";
import { Answered, AssetLink, AssetLinks, Badge, ListLine, Name, PathLine, ReachBadge, StandingBadge, Table, When } from "../../parts";
import { usePastQuery } from "../../past";
import { ProductConsumers, ProductDependants, ProductDetails } from "../../queries/asset";
import { ConsumersGap, ProductGap } from "../../queries/completeness";
import { CheckTable } from "../check-table";
import { Uses } from "../uses";

export function ProductTab({ id }: { id: string }) {
  const query = usePastQuery(ProductDetails, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "DataProduct" && (
          <>
            <p>
              Its promises are <StandingBadge standing={node.health.state} />. Freshness:{" "}
              <StandingBadge standing={node.health.freshness.state} />
              {node.health.freshness.promised && (
                <>
                  , promised: <Name text={node.health.freshness.promised} />
                </>
              )}
              . Checks: {formatNumber(node.health.checks.passed)} passed,{" "}
              {formatNumber(node.health.checks.failed + node.health.checks.errors)} failed.
            </p>
            <Table
              caption="Freshness of the output ports"
              rows={node.health.freshness.ports}
              rowKey={(row) => row.dataset.id}
              columns={[
                { head: "Port", cell: (row) => <AssetLink asset={row.dataset} /> },
                { head: "Promise", cell: (row) => <StandingBadge standing={row.state} /> },
                { head: "Last written", cell: (row) => <When at={row.lastWritten} /> },
                { head: "Known from", cell: (row) => (row.evidence ? nameValue(row.evidence) : "") },
                { head: "Age", cell: (row) => (row.ageSeconds === null ? "" : formatSeconds(row.ageSeconds)) },
              ]}
            />
            {node.health.openFailures.length > 0 && (
              <>
                <h3>Failing checks</h3>
                <CheckTable checks={node.health.openFailures} />
              </>
            )}
            <h3>Ports</h3>
            <Table
              caption="Ports"
              rows={node.ports}
              rowKey={(_, index) => String(index)}
              columns={[
                { head: "Direction", cell: (row) => row.direction },
                { head: "Dataset", cell: (row) => <AssetLink asset={row.dataset} /> },
                {
                  head: "Contract",
                  cell: (row) => (row.contract ? <AssetLink asset={row.contract} full={false} /> : <Name text={row.contractName ?? ""} />),
                },
                { head: "Refresh", cell: (row) => <Name text={row.refresh ?? ""} /> },
                {
                  head: "Notes",
                  cell: (row) => (row.deprecated ? <Badge tone="warn">deprecated</Badge> : <Name text={row.description ?? ""} />),
                },
              ]}
            />
            <h3>Service levels</h3>
            <Table
              caption="Service levels"
              rows={node.slos}
              rowKey={(row, index) => `${row.name}:${index}`}
              columns={[
                { head: "Name", cell: (row) => <Name text={row.name} /> },
                { head: "Promise", cell: (row) => <Name text={row.text} /> },
                { head: "About", cell: (row) => <Name text={row.element ?? "all"} /> },
              ]}
            />
            <h3>Datasets</h3>
            <p>
              <AssetLinks assets={node.datasets.nodes} most={30} full />
            </p>
            <ListLine shown={node.datasets.nodes.length} total={node.datasets.totalCount} />
          </>
        )
      }
    </Answered>
  );
}

export function ProductConsumerTab({ id }: { id: string }) {
  const query = useQuery(ProductConsumers, { id });
  return (
    <Answered query={query}>
      {({ consumersOf: found }) => (
        <>
          <h3>They use the product as a whole</h3>
          <Uses uses={found.directly} by="consumer" />
          <h3>They use a dataset or column of its output ports</h3>
          <Uses uses={found.throughPorts} by="consumer" />
          <h3>They use its inside, past the ports</h3>
          <Uses uses={found.inside} by="consumer" />
          <h3>They use data that is derived from it</h3>
          <Table
            caption="Consumers of derived data"
            rows={found.reached}
            rowKey={(row) => row.consumer.id}
            columns={[
              { head: "Consumer", cell: (row) => <AssetLink asset={row.consumer} full={false} /> },
              { head: "Certainty", cell: (row) => <ReachBadge reach={row.reach} masked={row.masked} /> },
              { head: "Steps", number: true, cell: (row) => formatNumber(row.distance) },
              { head: "Path", cell: (row) => <PathLine steps={row.via} /> },
            ]}
          />
          <CompletenessLine completeness={found.completeness} behind={lookBehind(ConsumersGap, { id })} />
        </>
      )}
    </Answered>
  );
}

export function DependantTab({ id }: { id: string }) {
  const query = useQuery(ProductDependants, { id: [id] });
  return (
    <Answered query={query}>
      {({ productImpact }) => (
        <>
          <Table
            caption="Products that depend on it"
            rows={productImpact.products}
            rowKey={(row) => row.product.id}
            columns={[
              { head: "Product", cell: (row) => <AssetLink asset={row.product} full={false} /> },
              { head: "Certainty", cell: (row) => <ReachBadge reach={row.reach} masked={row.masked} /> },
              { head: "Steps", number: true, cell: (row) => formatNumber(row.distance) },
              { head: "Freshness promise", cell: (row) => <Name text={row.freshness.text} most={300} /> },
            ]}
          />
          <CompletenessLine completeness={productImpact.completeness} behind={lookBehind(ProductGap, { of: [id] })} />
        </>
      )}
    </Answered>
  );
}
