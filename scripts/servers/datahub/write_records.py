"""Write metadata with DataHub's own library and its file sink; runs in an environment with requirements.txt.

python write_records.py FILE
"""

import sys
from pathlib import Path

from datahub.emitter.mce_builder import make_data_flow_urn, make_data_job_urn_with_flow, make_dataset_urn, make_schema_field_urn
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.sink.file import write_metadata_file
from datahub.metadata import schema_classes as model

ORDERS = make_dataset_urn("postgres", "shop.public.orders (old, kept)")
DAILY = make_dataset_urn("postgres", "shop.public.daily")
CHART, DASHBOARD, USER, GROUP = "urn:li:chart:(looker,1)", "urn:li:dashboard:(looker,7)", "urn:li:corpuser:ann", "urn:li:corpGroup:sales"
DOMAIN = "urn:li:domain:orders"
FLOW = make_data_flow_urn("airflow", "nightly")
JOB = make_data_job_urn_with_flow(FLOW, "load daily")
REPORT = make_dataset_urn("postgres", "shop.public.report")


def build_field(name: str, **others: object) -> model.SchemaFieldClass:
    type_ = model.SchemaFieldDataTypeClass(type=model.StringTypeClass())
    return model.SchemaFieldClass(fieldPath=name, type=type_, nativeDataType="varchar", **others)


def build_schema(name: str, *fields: model.SchemaFieldClass) -> model.SchemaMetadataClass:
    return model.SchemaMetadataClass(
        schemaName=name,
        platform="urn:li:dataPlatform:postgres",
        version=0,
        hash="",
        platformSchema=model.OtherSchemaClass(rawSchema=""),
        fields=list(fields),
    )


def build_lineage(*pairs: tuple[str, str]) -> model.UpstreamLineageClass:
    return model.UpstreamLineageClass(
        upstreams=[model.UpstreamClass(dataset=ORDERS, type=model.DatasetLineageTypeClass.TRANSFORMED)],
        fineGrainedLineages=[
            model.FineGrainedLineageClass(
                upstreamType=model.FineGrainedLineageUpstreamTypeClass.FIELD_SET,
                upstreams=[make_schema_field_urn(ORDERS, start)],
                downstreamType=model.FineGrainedLineageDownstreamTypeClass.FIELD,
                downstreams=[make_schema_field_urn(DAILY, end)],
            )
            for start, end in pairs
        ],
    )


TAGGED = model.GlobalTagsClass(tags=[model.TagAssociationClass(tag="urn:li:tag:pii")])
OWNERS = model.OwnershipClass(
    owners=[
        model.OwnerClass(owner=USER, type=model.OwnershipTypeClass.TECHNICAL_OWNER),
        model.OwnerClass(owner=GROUP, type=model.OwnershipTypeClass.CUSTOM, typeUrn="urn:li:ownershipType:__system__data_steward"),
    ]
)
EVENT = model.MetadataChangeEventClass(
    proposedSnapshot=model.DatasetSnapshotClass(
        urn=ORDERS,
        aspects=[
            model.StatusClass(removed=False),
            model.DatasetPropertiesClass(description="all orders", customProperties={"engine": "heap"}),
            build_schema("orders", build_field("e,mail", globalTags=TAGGED, nullable=True), build_field("id", isPartOfKey=True)),
        ],
    )
)
ASPECTS = (
    (ORDERS, OWNERS),
    (ORDERS, model.DomainsClass(domains=[DOMAIN])),
    (DAILY, build_schema("daily", build_field("mail"), build_field("total"))),
    (DAILY, build_lineage(("e,mail", "mail"), ("id", "total"))),
    (DOMAIN, model.DomainPropertiesClass(name="Orders", description="what is sold")),
    (USER, model.CorpUserInfoClass(active=True, displayName="Ann", email="ann@example.com")),
    (GROUP, model.CorpGroupInfoClass(admins=[], members=[USER], groups=[], displayName="Sales", email="sales@example.com")),
    (
        "urn:li:dataProduct:daily",
        model.DataProductPropertiesClass(
            name="Daily sales", assets=[model.DataProductAssociationClass(destinationUrn=DAILY, outputPort=True)]
        ),
    ),
    (CHART, model.ChartInfoClass(title="Mails", description="", lastModified=model.ChangeAuditStampsClass(), inputs=[DAILY])),
    (
        CHART,
        model.InputFieldsClass(
            fields=[model.InputFieldClass(schemaFieldUrn=make_schema_field_urn(DAILY, "mail"), schemaField=build_field("mail"))]
        ),
    ),
    (
        DASHBOARD,
        model.DashboardInfoClass(title="Sales", description="", lastModified=model.ChangeAuditStampsClass(), charts=[CHART]),
    ),
    (make_dataset_urn("postgres", "shop.public.gone"), model.StatusClass(removed=True)),
    (FLOW, model.DataFlowInfoClass(name="nightly", description="every night")),
    (JOB, model.DataJobInfoClass(name="load daily", type="SQL", flowUrn=FLOW, externalUrl="https://airflow.internal/nightly")),
    (
        JOB,
        model.DataJobInputOutputClass(
            inputDatasets=[DAILY],
            outputDatasets=[],
            inputDatasetEdges=[model.EdgeClass(destinationUrn=ORDERS)],
            outputDatasetEdges=[model.EdgeClass(destinationUrn=REPORT)],
            fineGrainedLineages=[
                model.FineGrainedLineageClass(
                    upstreamType=model.FineGrainedLineageUpstreamTypeClass.FIELD_SET,
                    upstreams=[make_schema_field_urn(DAILY, "mail")],
                    downstreamType=model.FineGrainedLineageDownstreamTypeClass.FIELD,
                    downstreams=[make_schema_field_urn(REPORT, "mail")],
                    transformOperation="COPY",
                )
            ],
        ),
    ),
    (
        JOB,
        model.DataTransformLogicClass(
            transforms=[
                model.DataTransformClass(
                    queryStatement=model.QueryStatementClass(value="select mail", language=model.QueryLanguageClass.SQL)
                )
            ]
        ),
    ),
    (JOB, OWNERS),
)


if __name__ == "__main__":
    write_metadata_file(
        Path(sys.argv[1]), [EVENT, *(MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect) for urn, aspect in ASPECTS)]
    )
