"""Calls each method of Marquez's client for Python, in an order in which a producer would: see recorder.py."""

import os

from marquez_client import MarquezClient  # type: ignore[import-not-found]
from marquez_client.models import DatasetId, DatasetType, JobType  # type: ignore[import-not-found]

NS, RUNS = "s3://food", [f"0190a7b2-0000-7000-8000-0000000000b{number}" for number in range(4)]
FIELDS = [{"name": "id", "type": "INTEGER", "description": "the key", "tags": ["PII"]}, {"name": "city", "type": "VARCHAR"}]

client = MarquezClient(url=os.environ["MARQUEZ_URL"])
client.create_namespace(NS, "analytics", "Food")
assert client.get_namespace(NS)["ownerName"] == "analytics"
assert client.list_namespaces(limit=10, offset=0)["namespaces"]
client.create_source("food_db", "postgresql", "jdbc:postgresql://db:5432/food", "database")
assert client.get_source("food_db")["type"] == "POSTGRESQL"
assert client.list_sources()["sources"]
client.create_tag("PII", "Personal data")
for name in ("public.cities", "public.counts"):
    client.create_dataset(NS, name, DatasetType.DB_TABLE, name, "food_db", "a table", fields=FIELDS, tags=["GOLD"])
client.create_dataset(NS, "topic", DatasetType.STREAM, "topic", "food_db", schema_location="https://example.org/schema")
assert len(client.get_dataset(NS, "public.cities")["fields"]) == 2
assert client.list_datasets(NS)["totalCount"] == 3
client.create_job(
    NS,
    "count",
    JobType.BATCH,
    location="https://example.org/count.sql",
    inputs=[DatasetId(NS, "public.cities")],
    outputs=[DatasetId(NS, "public.counts")],
    description="Counts",
    context={"sql": "SELECT 1"},
)
assert client.get_job(NS, "count")["inputs"] == [{"namespace": NS, "name": "public.cities"}]
assert client.list_jobs(NS)["totalCount"] == 1
times = {"nominal_start_time": "2026-03-08T12:00:00Z", "nominal_end_time": "2026-03-08T13:00:00Z"}
assert client.create_job_run(NS, "count", RUNS[0], run_args={"user": "ada"}, **times)["state"] == "NEW"
assert client.mark_job_run_as_started(RUNS[0])["state"] == "RUNNING"
client.create_dataset(NS, "public.counts", DatasetType.DB_TABLE, "public.counts", "food_db", run_id=RUNS[0], fields=FIELDS)
assert client.mark_job_run_as_completed(RUNS[0])["state"] == "COMPLETED"
assert client.create_job_run(NS, "count", RUNS[1], mark_as_running=True)["state"] == "RUNNING"
assert client.mark_job_run_as_failed(RUNS[1])["state"] == "FAILED"
client.create_job_run(NS, "count", RUNS[2])
assert client.mark_job_run_as_aborted(RUNS[2])["state"] == "ABORTED"
assert client.list_job_runs(NS, "count")["totalCount"] == 3
assert client.get_job_run(RUNS[0])["args"] == {"user": "ada"}
(version,) = client.list_dataset_versions(NS, "public.counts")["versions"]
assert client.get_dataset_version(NS, "public.counts", version["version"]) == version
assert "PII" in client.tag_dataset(NS, "public.cities", "PII")["tags"]
client.tag_dataset_field(NS, "public.cities", "city", "PII")
assert {tag["name"] for tag in client.list_tags()["tags"]} == {"GOLD", "PII"}
assert client.list_events()["events"]
assert client.list_events(NS, limit=10)["totalCount"] >= 1
client.get_column_lineage_by_dataset(NS, "public.cities", depth=2, with_downstream=True)
client.get_column_lineage_by_dataset_field(NS, "public.cities", "id", depth=2)
client.get_column_lineage_by_job(NS, "count")
