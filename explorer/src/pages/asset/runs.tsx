/** The tabs of runs. */
import { nameValue } from "../../messages";
import { PageLine, usePages } from "../../paging";
import { Answered, When } from "../../parts";
import { usePastQuery } from "../../past";
import { DatasetRuns, JobRuns } from "../../queries/asset";
import { Runs } from "../run-table";

const NEWEST = 50;

export function JobRunTab({ id }: { id: string }) {
  const pages = usePages(id, NEWEST);
  const query = usePastQuery(JobRuns, { id, first: pages.first, after: pages.after });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Job" && (
          <>
            <Runs runs={node.runs.nodes} withJob={false} />
            <PageLine pages={pages} list={node.runs} />
          </>
        )
      }
    </Answered>
  );
}

export function DatasetRunTab({ id }: { id: string }) {
  const pages = usePages(id, NEWEST);
  const query = usePastQuery(DatasetRuns, { id, first: pages.first, after: pages.after });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <>
            <p>
              Last written:{" "}
              {node.lastWritten ? (
                <>
                  <When at={node.lastWritten.at} />, known from its {nameValue(node.lastWritten.evidence)}
                </>
              ) : (
                "nothing proves that it ever was"
              )}
              .
            </p>
            <h3>Runs that wrote it</h3>
            <Runs runs={node.runs.nodes} withJob />
            <PageLine pages={pages} list={node.runs} />
          </>
        )
      }
    </Answered>
  );
}
