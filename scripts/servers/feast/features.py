"""Feature definitions that `feast apply` registers: one of every kind that tests/ingest/sources/test_feast.py expects."""

from datetime import timedelta

import pandas as pd
from feast import (
    BigQuerySource,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    FileSource,
    KafkaSource,
    PushSource,
    RedshiftSource,
    RequestSource,
    SnowflakeSource,
    ValueType,
)
from feast.data_format import JsonFormat
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import PostgreSQLSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.stream_feature_view import stream_feature_view
from feast.types import Float64, Int64, String

customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64, description="Who orders", owner="ada@company.com")

orders = FileSource(
    name="orders_file",
    path="s3://lake/silver/orders/",
    timestamp_field="ordered_at",
    created_timestamp_column="loaded_at",
    field_mapping={"amount": "order_amount"},
    description="Orders in the lake",
)
customers = SnowflakeSource(name="customers_table", database="SHOP", schema="PUBLIC", table="CUSTOMERS", timestamp_field="UPDATED_AT")
visits = BigQuerySource(name="visits_table", table="acme-prod.web.visits", timestamp_field="visited_at")
spend = PostgreSQLSource(
    name="spend_query",
    query="SELECT customer_id, sum(amount) AS spend_30d, max(ordered_at) AS at FROM public.orders WHERE status = 'PAID' GROUP BY 1",
    timestamp_field="at",
)
returns = RedshiftSource(name="returns_table", table="returns", schema="public", database="dev", timestamp_field="returned_at")
clicks = KafkaSource(
    name="clicks_topic",
    kafka_bootstrap_servers="broker.internal:9092",
    topic="clicks",
    timestamp_field="clicked_at",
    message_format=JsonFormat(schema_json="customer_id integer, page string, clicked_at timestamp"),
    batch_source=FileSource(name="clicks_file", path="s3://lake/raw/clicks/", timestamp_field="clicked_at"),
)
pushed = PushSource(name="pushed_orders", batch_source=orders)
request = RequestSource(name="order_request", schema=[Field(name="cart_value", dtype=Float64)])

order_features = FeatureView(
    name="order_features",
    entities=[customer],
    ttl=timedelta(days=7),
    schema=[Field(name="order_amount", dtype=Float64, description="In euros", tags={"pii": "no"}), Field(name="currency", dtype=String)],
    source=pushed,
    owner="ada@company.com",
    tags={"team": "fraud", "gold": ""},
    description="What customers ordered",
)
customer_features = FeatureView(
    name="customer_features",
    entities=[customer],
    schema=[Field(name="COUNTRY", dtype=String), Field(name="EMAIL", dtype=String)],
    source=customers,
    online=False,
)
visit_features = FeatureView(name="visit_features", entities=[customer], schema=[Field(name="visits_7d", dtype=Int64)], source=visits)
spend_features = FeatureView(name="spend_features", entities=[customer], schema=[Field(name="spend_30d", dtype=Float64)], source=spend)
return_features = FeatureView(name="return_features", entities=[customer], schema=[Field(name="reason", dtype=String)], source=returns)


@stream_feature_view(  # registry-dump fails for one without a function or a ttl
    entities=[customer],
    ttl=timedelta(days=1),
    schema=[Field(name="page", dtype=String)],
    source=clicks,
    timestamp_field="clicked_at",
    mode="pandas",
    owner="bob@company.com",
)
def record_clicks(clicks: pd.DataFrame) -> pd.DataFrame:
    return clicks


@on_demand_feature_view(
    sources=[order_features[["order_amount"]], spend_features, request],
    schema=[Field(name="share_of_spend", dtype=Float64)],
    owner="ada@company.com",
)
def order_share(inputs: pd.DataFrame) -> pd.DataFrame:
    found = pd.DataFrame()
    found["share_of_spend"] = (inputs["order_amount"] + inputs["cart_value"]) / inputs["spend_30d"]
    return found


fraud_v1 = FeatureService(
    name="fraud_v1",
    features=[order_features[["order_amount"]], customer_features, order_share],
    owner="fraud-science@company.com",
    tags={"stage": "production"},
    description="What the fraud model reads",
)
web = FeatureService(name="web Überblick", features=[visit_features, record_clicks, return_features])
