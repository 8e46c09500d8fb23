"""An OpenMetadata as the JSON schemas of its entities describe it: written by hand, no real one ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tests.ingest.sources.json_server import Answer, Asked, Failure

Value = dict[str, Any]
TOKEN = "secret"
PATHS = {
    "table": "tables",
    "topic": "topics",
    "container": "containers",
    "dashboardDataModel": "dashboard/datamodels",
    "dashboard": "dashboards",
    "chart": "charts",
    "pipeline": "pipelines",
    "mlmodel": "mlmodels",
    "user": "users",
    "team": "teams",
    "domain": "domains",
    "dataProduct": "dataProducts",
    "databaseService": "services/databaseServices",
    "messagingService": "services/messagingServices",
}
_SERVICES = {
    "table": "databaseService",
    "topic": "messagingService",
    "container": "storageService",
    "pipeline": "pipelineService",
    "mlmodel": "mlmodelService",
}


def make_id(type_: str, fqn: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{type_}/{fqn}"))


def refer(type_: str, fqn: str) -> Value:
    """A reference to an entity."""
    return {"id": make_id(type_, fqn), "type": type_, "name": fqn.rpartition(".")[2], "fullyQualifiedName": fqn, "deleted": False}


def make_entity(type_: str, fqn: str, **keys: Any) -> Value:
    id_ = make_id(type_, fqn)
    own: Value = {"id": id_, "name": fqn.rpartition(".")[2].strip('"'), "fullyQualifiedName": fqn}
    own["href"] = f"http://openmetadata:8585/api/v1/{PATHS[type_]}/{id_}"
    if "." in fqn and type_ not in ("domain", "dataProduct", "user", "team"):
        service = _SERVICES.get(type_, "dashboardService")
        own["service"] = {"id": make_id(service, fqn.partition(".")[0]), "type": service, "name": fqn.partition(".")[0]}
    return {**own, **keys}


def make_column(name: str, data_type: str = "VARCHAR", **keys: Any) -> Value:
    return {"name": name, "dataType": data_type, "dataTypeDisplay": data_type.lower(), **keys}


def tag(fqn: str, source: str = "Classification") -> Value:
    return {"tagFQN": fqn, "source": source, "labelType": "Manual", "state": "Confirmed"}


def make_edge(start: Value, end: Value, *columns: tuple[list[str], str], pipeline: Value | None = None) -> Value:
    lineage = [{"fromColumns": names, "toColumn": to} for names, to in columns]
    details: Value = {"columnsLineage": lineage, "source": "QueryLineage", "sqlQuery": "select 1"}
    if pipeline is not None:
        details["pipeline"] = pipeline
    return {"fromEntity": start["id"], "toEntity": end["id"], "lineageDetails": details, "nodes": [start, end]}


ANN, SALES = refer("user", "ann"), refer("team", "sales")
ORDERS, DAILY, REPORT = (refer("table", f"shop_db.shop.public.{name}") for name in ("orders", "daily", "report"))
TOPIC, FILE, MODEL = (
    refer("topic", "events.orders"),
    refer("container", "lake.raw.orders"),
    refer("dashboardDataModel", "superset.model.sales"),
)
BOARD, CHART, SCORE, NIGHTLY = (
    refer("dashboard", "superset.7"),
    refer("chart", "superset.c1"),
    refer("mlmodel", "mlflow.score"),
    refer("pipeline", "airflow.nightly"),
)
ENTITIES: Mapping[str, list[Value]] = {
    "databaseService": [
        make_entity(
            "databaseService",
            "shop_db",
            serviceType="Postgres",
            connection={"config": {"type": "Postgres", "hostPort": "db.internal:5432", "database": "shop", "username": "om"}},
        )
    ],
    "messagingService": [
        make_entity(
            "messagingService",
            "events",
            serviceType="Kafka",
            connection={"config": {"type": "Kafka", "bootstrapServers": "kafka-1:9092,kafka-2:9092"}},
        )
    ],
    "user": [make_entity("user", "ann", email="ann@example.com", displayName="Ann")],
    "team": [make_entity("team", "sales", displayName="Sales", teamType="Group")],
    "domain": [
        make_entity("domain", "commerce", description="what is sold", domainType="Aggregate"),
        make_entity("domain", "commerce.orders", parent=refer("domain", "commerce"), description="", domainType="Aggregate", owners=[ANN]),
    ],
    "dataProduct": [
        make_entity("dataProduct", "daily_sales", description="sales by day", domains=[refer("domain", "commerce.orders")], owners=[SALES])
    ],
    "table": [
        make_entity(
            "table",
            "shop_db.shop.public.orders",
            tableType="Regular",
            serviceType="Postgres",
            description="all orders",
            columns=[
                make_column("id", "BIGINT", constraint="PRIMARY_KEY", ordinalPosition=1),
                make_column(
                    "email", constraint="NOT_NULL", ordinalPosition=2, tags=[tag("PII.Sensitive"), tag("Business.Email", "Glossary")]
                ),
                make_column("address", "STRUCT", ordinalPosition=3, children=[make_column("city", description="where it goes")]),
            ],
            owners=[ANN, SALES],
            tags=[tag("Tier.Tier1"), tag("Business.Order", "Glossary")],
            domains=[refer("domain", "commerce.orders")],
            sourceUrl="https://db.internal/orders",
        ),
        make_entity(
            "table",
            "shop_db.shop.public.daily",
            tableType="View",
            serviceType="Postgres",
            schemaDefinition="create view daily as select email as mail from orders",
            columns=[make_column("mail"), make_column("total", "NUMERIC")],
            dataProducts=[refer("dataProduct", "daily_sales")],
        ),
        make_entity("table", "shop_db.shop.public.report", tableType="Regular", serviceType="Postgres", columns=[make_column("who")]),
        make_entity("table", "shop_db.shop.public.gone", tableType="Regular", deleted=True, columns=[make_column("x")]),
    ],
    "topic": [
        make_entity(
            "topic",
            "events.orders",
            serviceType="Kafka",
            partitions=3,
            messageSchema={
                "schemaType": "Avro",
                "schemaFields": [{"name": "Order", "dataType": "RECORD", "children": [{"name": "email", "dataType": "STRING"}]}],
            },
        )
    ],
    "container": [
        make_entity(
            "container",
            "lake.raw.orders",
            serviceType="S3",
            fullPath="s3://raw/orders",
            dataModel={"columns": [make_column("email")], "isPartitioned": False},
        )
    ],
    "dashboardDataModel": [
        make_entity(
            "dashboardDataModel",
            "superset.model.sales",
            dataModelType="SupersetDataModel",
            serviceType="Superset",
            columns=[make_column("mail")],
        )
    ],
    "dashboard": [
        make_entity(
            "dashboard",
            "superset.7",
            displayName="Sales",
            serviceType="Superset",
            charts=[CHART],
            owners=[ANN],
            sourceUrl="https://superset.internal/7",
        )
    ],
    "chart": [make_entity("chart", "superset.c1", displayName="Mails", serviceType="Superset")],
    "pipeline": [make_entity("pipeline", "airflow.nightly", description="every night", serviceType="Airflow", owners=[SALES])],
    "mlmodel": [make_entity("mlmodel", "mlflow.score", algorithm="forest", serviceType="Mlflow")],
}
EDGES = [
    make_edge(
        ORDERS,
        DAILY,
        (["shop_db.shop.public.orders.email"], "shop_db.shop.public.daily.mail"),
        (["shop_db.shop.public.orders.id", "shop_db.shop.public.orders.address.city"], "shop_db.shop.public.daily.total"),
    ),
    make_edge(DAILY, REPORT, (["shop_db.shop.public.daily.mail"], "shop_db.shop.public.report.who"), pipeline=NIGHTLY),
    make_edge(TOPIC, ORDERS),
    make_edge(FILE, ORDERS, (["lake.raw.orders.email"], "shop_db.shop.public.orders.email")),
    make_edge(DAILY, MODEL, (["shop_db.shop.public.daily.mail"], "superset.model.sales.mail")),
    make_edge(MODEL, CHART),
    make_edge(DAILY, CHART, (["shop_db.shop.public.daily.mail"], "superset.c1.mail")),
    make_edge(REPORT, SCORE),
    make_edge(TOPIC, NIGHTLY),
    make_edge(NIGHTLY, REPORT),
    make_edge(DAILY, NIGHTLY),
]


def make_lineage(type_: str, id_: str) -> Value | None:
    """The answer about the lineage into an entity; None if there is no such entity."""
    entity = next((one for one in ENTITIES[type_] if one["id"] == id_), None)
    if entity is None:
        return None
    edges = [edge for edge in EDGES if edge["toEntity"] == id_]
    nodes = {node["id"]: node for edge in edges for node in edge["nodes"] if node["id"] != id_}
    plain = [{key: value for key, value in edge.items() if key != "nodes"} for edge in edges]
    return {
        "entity": refer(type_, entity["fullyQualifiedName"]),
        "nodes": list(nodes.values()),
        "upstreamEdges": plain,
        "downstreamEdges": [],
    }


def answer_as_server(page: int = 2, *, older: bool = False, without: str = "") -> Answer:
    """`older`: a server that refuses the names of newer fields, and has one owner and domain. `without`: a list that it lacks."""
    types = {path: type_ for type_, path in PATHS.items()}

    def answer(asked: Asked) -> Any:
        if asked.authorization != f"Bearer {TOKEN}":
            return Failure(401, {"code": 401, "message": "Token not present"})
        path = asked.path.removeprefix("/api/v1/")
        if path.startswith("lineage/"):
            _, type_, id_ = path.split("/")
            return make_lineage(type_, id_) or Failure(404, {"code": 404, "message": "not found"})
        if path not in types or path == without:
            return Failure(404, {"code": 404, "message": "HTTP 404 Not Found"})
        if older and {"owners", "domains"} & set(asked.parameters.get("fields", "").split(",")):
            return Failure(400, {"code": 400, "message": "Invalid field name owners"})
        found = [one for one in ENTITIES[types[path]] if not one.get("deleted")]
        first = int(asked.parameters.get("after", "0"))
        more = {"after": str(first + page)} if first + page < len(found) else {}
        shown = [make_older(one) for one in found] if older else found
        return {"data": shown[first : first + page], "paging": {"total": len(found), **more}}

    return answer


def make_older(entity: Value) -> Value:
    """An entity as servers before version 1.6 state it."""
    kept = {key: value for key, value in entity.items() if key not in ("owners", "domains")}
    for many, one in (("owners", "owner"), ("domains", "domain")):
        if entity.get(many):
            kept[one] = entity[many][0]
    return kept
