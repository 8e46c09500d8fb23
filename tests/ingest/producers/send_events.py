"""A nightly job written with OpenLineage's client for Python: a run that completes, one of another job that fails, a dataset and a job that
are declared without a run. scripts/servers/openlineage-java/SendEvents.java sends the same.

    send_events.py NAMESPACE=CONFIG ...     # for each sending the namespace of the jobs, and its openlineage.yml
"""

from __future__ import annotations

import os
import sys
import uuid

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    DatasetEvent,
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    StaticDataset,
    set_producer,
)
from openlineage.client.facet_v2 import (
    DatasetFacet,
    RunFacet,
    column_lineage_dataset,
    documentation_dataset,
    error_message_run,
    job_type_job,
    ownership_job,
    parent_run,
    schema_dataset,
)

DATABASE = "postgres://db.internal:5432"


def build_id(number: int) -> str:
    return str(uuid.UUID(int=(0x019CC8F400007000 << 64) + (0x8 << 60) + number))


def build_time(minute: int) -> str:
    return f"2026-03-08T02:{minute:02d}:00Z"


def build_schema(*names: str) -> dict[str, DatasetFacet]:
    fields = [schema_dataset.SchemaDatasetFacetFields(name=name, type="text") for name in names]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}


def build_job(namespace: str, name: str) -> Job:
    owners = [ownership_job.Owner(name="team:customers-engineering", type="MAINTAINER")]
    kind = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="CUSTOM", jobType="JOB")
    return Job(namespace=namespace, name=name, facets={"jobType": kind, "ownership": ownership_job.OwnershipJobFacet(owners=owners)})


def build_input(table: str, *columns: str) -> InputDataset:
    return InputDataset(namespace=DATABASE, name=f"shop.{table}", facets=build_schema(*columns))


def build_output(origin: str, table: str) -> OutputDataset:
    def build_field(name: str, kind: str, subtype: str, *, masking: bool = False) -> column_lineage_dataset.InputField:
        how = column_lineage_dataset.Transformation(type=kind, subtype=subtype, masking=masking)
        return column_lineage_dataset.InputField(namespace=DATABASE, name=f"shop.{origin}", field=name, transformations=[how])

    lineage = column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={
            "customer_id": column_lineage_dataset.Fields(inputFields=[build_field("id", "DIRECT", "IDENTITY")]),
            "mail_hash": column_lineage_dataset.Fields(inputFields=[build_field("email", "DIRECT", "TRANSFORMATION", masking=True)]),
        },
        dataset=[build_field("country", "INDIRECT", "FILTER")],
    )
    return OutputDataset(
        namespace=DATABASE, name=f"shop.{table}", facets={**build_schema("customer_id", "mail_hash"), "columnLineage": lineage}
    )


def build_run(namespace: str, state: RunState, minute: int, run: int, job: str, table: str) -> RunEvent:
    parent = parent_run.ParentRunFacet(run=parent_run.Run(runId=build_id(9)), job=parent_run.Job(namespace=namespace, name="nightly"))
    facets: dict[str, RunFacet] = {"parent": parent}
    if state is RunState.FAIL:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message="disk full", programmingLanguage="python")
    return RunEvent(
        eventType=state,
        eventTime=build_time(minute),
        run=Run(runId=build_id(run), facets=facets),
        job=build_job(namespace, job),
        inputs=[build_input("raw.customers", "id", "email", "country")],
        outputs=[build_output("raw.customers", table)],
    )


def send_events(namespace: str) -> None:
    client = OpenLineageClient()
    client.emit(build_run(namespace, RunState.START, 0, 1, "mask_customers", "mart.masked_customers"))
    client.emit(build_run(namespace, RunState.COMPLETE, 1, 1, "mask_customers", "mart.masked_customers"))
    client.emit(build_run(namespace, RunState.START, 2, 2, "broken", "mart.never_written"))
    client.emit(build_run(namespace, RunState.FAIL, 3, 2, "broken", "mart.never_written"))
    description = documentation_dataset.DocumentationDatasetFacet(description="Customers without their addresses")
    facets = {**build_schema("customer_id", "mail_hash"), "documentation": description}
    declared = StaticDataset(namespace=DATABASE, name="shop.mart.masked_customers", facets=facets)
    client.emit(DatasetEvent(eventTime=build_time(4), dataset=declared))
    read = build_input("mart.masked_customers", "customer_id", "mail_hash")
    client.emit(JobEvent(eventTime=build_time(5), job=build_job(namespace, "declared"), inputs=[read]))
    client.close()


if __name__ == "__main__":
    set_producer("https://git.example.com/shop/nightly")
    for sending in sys.argv[1:]:
        namespace, _, os.environ["OPENLINEAGE_CONFIG"] = sending.partition("=")
        send_events(namespace)
