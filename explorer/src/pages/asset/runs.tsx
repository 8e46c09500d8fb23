/** The tabs of runs. */
import { sendOperation } from "../../client";
import { nameValue } from "../../messages";
import { PageLine, usePages } from "../../paging";
import { Answered, When } from "../../parts";
import { usePast, usePastQuery } from "../../past";
import { DatasetRuns, JobRuns } from "../../queries/asset";
import { Runs, SaveRuns } from "../run-table";

const NEWEST = 50;

export function JobRunTab({ id }: { id: string }) {
  const pages = usePages(id, NEWEST);
  const asOf = usePast();
  const query = usePastQuery(JobRuns, { id, first: pages.first, after: pages.after });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Job" && (
          <>
            <div className="row">
              <SaveRuns
                name={`runs of ${node.name}`}
                read={async (part) => {
                  const answer = await sendOperation(JobRuns, { id, ...part, asOf });
                  return answer.node?.__typename === "Job" ? answer.node.runs : null;
                }}
              />
            </div>
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
  const asOf = usePast();
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
            <div className="row">
              <SaveRuns
                name={`runs that wrote ${node.name}`}
                read={async (part) => {
                  const answer = await sendOperation(DatasetRuns, { id, ...part, asOf });
                  return answer.node?.__typename === "Dataset" ? answer.node.runs : null;
                }}
              />
            </div>
            <Runs runs={node.runs.nodes} withJob />
            <PageLine pages={pages} list={node.runs} />
          </>
        )
      }
    </Answered>
  );
}
