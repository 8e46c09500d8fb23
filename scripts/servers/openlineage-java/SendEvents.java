import io.openlineage.client.Clients;
import io.openlineage.client.OpenLineage;
import io.openlineage.client.OpenLineage.RunEvent.EventType;
import io.openlineage.client.OpenLineageClient;
import java.net.URI;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.UUID;

/**
 * A nightly job written with the client of OpenLineage for Java: a run that completes, one of another job that fails, a dataset and a
 * job that are declared without a run.
 *
 * <p>Where the events go is in openlineage.yml ($OPENLINEAGE_CONFIG). Run as a source file: {@code java -cp 'lib/*' SendEvents.java}
 */
public class SendEvents {
  private static final URI PRODUCER = URI.create("https://git.example.com/shop/nightly");
  private static final String DATABASE = "postgres://db.internal:5432";
  private static final ZonedDateTime NIGHT = ZonedDateTime.parse("2026-03-08T02:00:00Z");
  private static final OpenLineage LINEAGE = new OpenLineage(PRODUCER);

  public static void main(String[] arguments) throws Exception {
    try (OpenLineageClient client = Clients.newClient()) {
      client.emit(buildRun(EventType.START, 0, 1, "mask_customers", "raw.customers", "mart.masked_customers"));
      client.emit(buildRun(EventType.COMPLETE, 1, 1, "mask_customers", "raw.customers", "mart.masked_customers"));
      client.emit(buildRun(EventType.START, 2, 2, "broken", "raw.customers", "mart.never_written"));
      client.emit(buildRun(EventType.FAIL, 3, 2, "broken", "raw.customers", "mart.never_written"));
      client.emit(LINEAGE.newDatasetEvent(NIGHT.plusMinutes(4), buildDeclaredDataset()));
      var read = buildInput("mart.masked_customers", "customer_id", "mail_hash");
      client.emit(LINEAGE.newJobEvent(NIGHT.plusMinutes(5), buildJob("declared"), List.of(read), List.of()));
    }
  }

  private static OpenLineage.RunEvent buildRun(EventType type, int minute, int run, String job, String from, String to) {
    var parent =
        LINEAGE.newParentRunFacetBuilder()
            .run(LINEAGE.newParentRunFacetRunBuilder().runId(buildId(9)).build())
            .job(LINEAGE.newParentRunFacetJobBuilder().namespace("nights").name("nightly").build())
            .build();
    var facets = LINEAGE.newRunFacetsBuilder().parent(parent);
    if (type == EventType.FAIL) {
      facets.errorMessage(LINEAGE.newErrorMessageRunFacet("disk full", "java", "java.io.IOException: disk full"));
    }
    return LINEAGE.newRunEventBuilder()
        .eventType(type)
        .eventTime(NIGHT.plusMinutes(minute))
        .run(LINEAGE.newRunBuilder().runId(buildId(run)).facets(facets.build()).build())
        .job(buildJob(job))
        .inputs(List.of(buildInput(from, "id", "email", "country")))
        .outputs(List.of(buildOutput(from, to)))
        .build();
  }

  private static UUID buildId(int number) {
    return new UUID(0x019cc8f400007000L, 0x8000000000000000L + number);
  }

  private static OpenLineage.Job buildJob(String name) {
    var owners = List.of(LINEAGE.newOwnershipJobFacetOwners("team:customers-engineering", "MAINTAINER"));
    var facets =
        LINEAGE.newJobFacetsBuilder()
            .jobType(LINEAGE.newJobTypeJobFacetBuilder().processingType("BATCH").integration("CUSTOM").jobType("JOB").build())
            .ownership(LINEAGE.newOwnershipJobFacetBuilder().owners(owners).build())
            .build();
    return LINEAGE.newJobBuilder().namespace("nights").name(name).facets(facets).build();
  }

  private static OpenLineage.InputDataset buildInput(String table, String... columns) {
    var facets = LINEAGE.newDatasetFacetsBuilder().schema(buildSchema(columns)).build();
    return LINEAGE.newInputDatasetBuilder().namespace(DATABASE).name("shop." + table).facets(facets).build();
  }

  private static OpenLineage.OutputDataset buildOutput(String from, String to) {
    var fields =
        LINEAGE.newColumnLineageDatasetFacetFieldsBuilder()
            .put("customer_id", buildOrigin(from, "id", "IDENTITY", false))
            .put("mail_hash", buildOrigin(from, "email", "TRANSFORMATION", true))
            .build();
    var country =
        LINEAGE.newInputFieldBuilder()
            .namespace(DATABASE)
            .name("shop." + from)
            .field("country")
            .transformations(List.of(LINEAGE.newInputFieldTransformationsBuilder().type("INDIRECT").subtype("FILTER").build()))
            .build();
    var facets =
        LINEAGE.newDatasetFacetsBuilder()
            .schema(buildSchema("customer_id", "mail_hash"))
            .columnLineage(LINEAGE.newColumnLineageDatasetFacetBuilder().fields(fields).dataset(List.of(country)).build())
            .build();
    return LINEAGE.newOutputDatasetBuilder().namespace(DATABASE).name("shop." + to).facets(facets).build();
  }

  private static OpenLineage.ColumnLineageDatasetFacetFieldsAdditional buildOrigin(String table, String field, String kind, boolean masking) {
    var how = LINEAGE.newInputFieldTransformationsBuilder().type("DIRECT").subtype(kind).masking(masking).build();
    var origin =
        LINEAGE.newInputFieldBuilder().namespace(DATABASE).name("shop." + table).field(field).transformations(List.of(how)).build();
    return LINEAGE.newColumnLineageDatasetFacetFieldsAdditionalBuilder().inputFields(List.of(origin)).build();
  }

  private static OpenLineage.StaticDataset buildDeclaredDataset() {
    var facets =
        LINEAGE.newDatasetFacetsBuilder()
            .schema(buildSchema("customer_id", "mail_hash"))
            .documentation(LINEAGE.newDocumentationDatasetFacet("Customers without their addresses", null))
            .build();
    return LINEAGE.newStaticDatasetBuilder().namespace(DATABASE).name("shop.mart.masked_customers").facets(facets).build();
  }

  private static OpenLineage.SchemaDatasetFacet buildSchema(String... names) {
    var fields = List.of(names).stream().map(name -> LINEAGE.newSchemaDatasetFacetFieldsBuilder().name(name).type("text").build()).toList();
    return LINEAGE.newSchemaDatasetFacetBuilder().fields(fields).build();
  }
}
