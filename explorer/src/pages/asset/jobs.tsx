/** The tabs of the jobs of a dataset, and of what a job does. */
import { text } from "../../messages";
import { Answered, AssetLink, AssetLinks, Badge, CopyButton, Name, Prose } from "../../parts";
import { usePastQuery } from "../../past";
import { DatasetJobs, JobDetails } from "../../queries/asset";

export function JobTab({ id }: { id: string }) {
  const query = usePastQuery(DatasetJobs, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <div className="columns">
            <div>
              <h3>Written by</h3>
              <JobList jobs={node.writtenBy} />
            </div>
            <div>
              <h3>Read by</h3>
              <JobList jobs={node.readBy} />
            </div>
          </div>
        )
      }
    </Answered>
  );
}

function JobList({
  jobs,
}: {
  jobs: readonly { id: string; kind: string; name: string; qualifiedName: string; integration: string | null }[];
}) {
  if (jobs.length === 0) return <p className="soft">{text.none}</p>;
  return (
    <ul className="plain items">
      {jobs.map((job) => (
        <li key={job.id}>
          <AssetLink asset={job} /> {job.integration && <Badge>{<Name text={job.integration} />}</Badge>}
        </li>
      ))}
    </ul>
  );
}

export function JobDetailTab({ id }: { id: string }) {
  const query = usePastQuery(JobDetails, { id });
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Job" && (
          <>
            <dl>
              <dt>Reads</dt>
              <dd>
                <AssetLinks assets={node.reads} full most={30} />
              </dd>
              <dt>Writes</dt>
              <dd>
                <AssetLinks assets={node.writes} full most={30} />
              </dd>
              <dt>Part of</dt>
              <dd>
                <AssetLinks assets={node.parents} />
              </dd>
              <dt>Has parts</dt>
              <dd>
                <AssetLinks assets={node.children} most={30} />
              </dd>
            </dl>
            {node.sql === null ? (
              <p className="soft">No source states its SQL.</p>
            ) : (
              <>
                <div className="row">
                  <h3>SQL</h3>
                  <CopyButton content={node.sql} />
                </div>
                <pre>
                  <Prose text={node.sql} />
                </pre>
              </>
            )}
          </>
        )
      }
    </Answered>
  );
}
