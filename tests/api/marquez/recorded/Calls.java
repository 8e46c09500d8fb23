// Calls each method of Marquez's client for Java, in an order in which a producer would: see recorder.py.
import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import marquez.client.MarquezClient;
import marquez.client.models.*;

public final class Calls {
  private static final String NS = "food:delivery";
  private static final String RUN = "0190a7b2-0000-7000-8000-0000000000aa";
  private static final String OTHER = "0190a7b2-0000-7000-8000-0000000000ab";

  public static void main(String[] arguments) throws Exception {
    MarquezClient client = MarquezClient.builder().baseUrl(System.getenv("MARQUEZ_URL")).build();
    client.createNamespace(NS, NamespaceMeta.builder().ownerName("analytics").description("Food").build());
    check(client.getNamespace(NS).getOwnerName().equals("analytics"), "namespace");
    check(client.listNamespaces().size() >= 1, "namespaces");
    client.createSource("food_db", SourceMeta.builder().type("POSTGRESQL").connectionUrl(URI.create("jdbc:postgresql://db:5432/food")).description("database").build());
    check(client.getSource("food_db").getName().equals("food_db"), "source");
    check(client.listSources().size() >= 1, "sources");
    client.createTag("PII", "Personal data");
    client.createTag("BARE");
    for (String name : List.of("public.cities", "public.counts")) {
      client.createDataset(NS, name, table(name, null));
    }
    check(client.getDataset(NS, "public.cities").getFields().size() == 2, "columns of a dataset");
    check(client.listDatasets(NS).size() == 2, "datasets");
    JobMeta job = JobMeta.builder().type(JobType.BATCH)
        .inputs(Set.of(new DatasetId(NS, "public.cities"))).outputs(Set.of(new DatasetId(NS, "public.counts")))
        .location(URI.create("https://example.org/count.sql").toURL()).description("Counts").build();
    client.createJob(NS, "count", job);
    check(client.getJob(NS, "count").getInputs().size() == 1, "inputs of a job");
    check(client.listJobs(NS).size() == 1, "jobs");
    Run run = client.createRun(NS, "count", RunMeta.builder().id(RUN).nominalStartTime(Instant.parse("2026-03-08T12:00:00Z")).nominalEndTime(Instant.parse("2026-03-08T13:00:00Z")).args(java.util.Map.of("user", "ada")).build());
    check(run.getState() == RunState.NEW, "a run that was created");
    check(client.markRunAsRunning(RUN).getState() == RunState.RUNNING, "a run that started");
    client.createDataset(NS, "public.counts", table("public.counts", RUN));
    check(client.markRunAsCompleted(RUN).getState() == RunState.COMPLETED, "a run that completed");
    client.createRunAndStart(NS, "count", RunMeta.builder().id(OTHER).build());
    check(client.markRunAsFailed(OTHER, Instant.now()).getState() == RunState.FAILED, "a run that failed");
    check(client.getRun(RUN).getState() == RunState.COMPLETED, "a run");
    check(client.listRuns(NS, "count").size() == 2, "runs");
    List<DatasetVersion> versions = client.listDatasetVersions(NS, "public.counts");
    check(versions.size() == 1, "versions of a dataset");
    client.getDatasetVersion(NS, "public.counts", versions.get(0).getVersion());
    List<JobVersion> ofJob = client.listJobVersions(NS, "count", 10, 0);
    check(ofJob.size() >= 1, "versions of a job");
    client.getJobVersion(NS, "count", ofJob.get(0).getVersion().toString());
    check(client.tagDatasetWith(NS, "public.cities", "PII").getTags().contains("PII"), "a tag of a dataset");
    client.tagFieldWith(NS, "public.cities", "id", "PII");
    check(client.tagJobWith(NS, "count", "PII").getTags().contains("PII"), "a tag of a job");
    check(client.listTags().size() >= 2, "tags");
    client.deleteDatasetTag(NS, "public.cities", "PII");
    client.deleteDatasetFieldTag(NS, "public.cities", "id", "PII");
    client.deleteJobTag(NS, "count", "PII");
    // search(query) alone fails in the client itself
    check(client.search("public", SearchFilter.DATASET, SearchSort.NAME, 10).getTotalCount() == 2, "a search");
    client.search("count", SearchFilter.JOB, SearchSort.NAME, 10);
    client.search("count", SearchSort.UPDATE_AT);
    check(client.getLineage(NodeId.of(new DatasetId(NS, "public.cities"))).getGraph().size() == 3, "lineage");
    client.getLineage(NodeId.of(new JobId(NS, "count")), 2);
    check(client.getColumnLineage(NodeId.of(new DatasetId(NS, "public.cities")), 2, true).getGraph().size() >= 1, "lineage of columns");
    client.getColumnLineage(NodeId.of(new DatasetFieldId(NS, "public.cities", "id")));
    client.listLineageEvents();
    client.listLineageEvents(MarquezClient.SortDirection.ASC, 10);
    try {
      client.getDataset(NS, "none");
      throw new IllegalStateException("a dataset that is not known was found");
    } catch (marquez.client.MarquezHttpException error) {
      check(error.getMessage().contains("Dataset 'none' not found."), "the message of an error: " + error.getMessage());
    }
    client.deleteDataset(NS, "public.cities");
    client.deleteJob(NS, "count");
    client.deleteNamespace(NS);
    check(client.getNamespace(NS).getIsHidden(), "a namespace that is hidden");
    System.out.println("all calls answered");
    System.exit(0);
  }

  private static DatasetMeta table(String name, String run) {
    List<Field> fields = List.of(Field.builder().name("id").type("INTEGER").description("the key").build(), Field.builder().name("city").type("VARCHAR").build());
    return DbTableMeta.builder().physicalName(name).sourceName("food_db").fields(fields).tags(Set.of("GOLD")).description("a table").runId(run).build();
  }

  private static void check(boolean holds, String what) {
    if (!holds) throw new IllegalStateException("wrong: " + what);
  }
}
