"""A made-up dbt project: sources, and layers of models whose SQL has CTEs, joins, a window and a star, about 40 lines each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

DATABASE, SCHEMA = "shop", "marts"
COLUMNS = (
    "id",
    "customer_id",
    "order_id",
    "status",
    "amount",
    "discount",
    "tax",
    "country",
    "currency",
    "created_at",
    "updated_at",
    "note",
)
GENERATED_AT = "2026-03-08T02:00:00.000000Z"
LAYERS = 8

MODEL = """\
with orders as (
    select * from {first}
),

customers as (
    select
        id,
        customer_id,
        upper(country) as country,
        currency,
        created_at as since
    from {second}
    where status <> 'void'
),

ranked as (
    select
        o.id,
        o.customer_id,
        o.order_id,
        o.status,
        o.amount,
        o.discount,
        o.tax,
        c.country,
        coalesce(o.currency, c.currency) as currency,
        o.created_at,
        o.updated_at,
        row_number() over (partition by o.customer_id order by o.updated_at desc) as position
    from orders as o
    left join customers as c on c.customer_id = o.customer_id
),

summed as (
    select customer_id, sum(amount) as total, count(*) as orders
    from ranked
    group by customer_id
)

select
    r.id, r.customer_id, r.order_id, r.status,
    r.amount - r.{less} as amount, r.discount, r.tax, r.country, r.currency, r.created_at, r.updated_at,
    case when s.total > 100 then 'large' else 'small' end as note
from ranked as r
join summed as s on s.customer_id = r.customer_id
where r.position = 1
"""


class Model(NamedTuple):
    """One model: its number, those of the two tables that it reads, and a column that its SQL takes off."""

    number: int
    first: int
    second: int
    less: str  # a column

    @property
    def sql(self) -> str:
        return MODEL.format(first=build_relation(self.first), second=build_relation(self.second), less=self.less)


class Project(NamedTuple):
    """Tables below `sources` are sources, all others models."""

    sources: int
    models: tuple[Model, ...]


def build_project(models: int, seed: int = 7) -> Project:
    """A tenth as many sources as models; a model reads from the sources or from an earlier layer."""
    choose = random.Random(seed)
    sources = max(2, models // 10)
    return Project(sources, tuple(_build_model(sources, models, number, choose) for number in range(models)))


def _build_model(sources: int, models: int, number: int, choose: random.Random) -> Model:
    before = sources + number // max(1, models // LAYERS) * max(1, models // LAYERS)
    return Model(sources + number, choose.randrange(before), choose.randrange(before), "discount")


def change_project(of: Project, models: int) -> Project:
    """With other lineage in some models, evenly spread, that have the same columns as before."""
    step = len(of.models) // models
    return of._replace(models=tuple(m._replace(less="tax") if m.number % step == 0 else m for m in of.models))


def build_name(table: int) -> str:
    return f"table_{table:05d}"


def build_relation(table: int) -> str:
    return f'"{DATABASE}"."{SCHEMA}"."{build_name(table)}"'


def write_project(of: Project, folder: Path) -> Path:
    """manifest.json and catalog.json, as dbt writes them but for macros and docs."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {
        "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
        "dbt_version": "1.11.16",
        "generated_at": GENERATED_AT,
        "project_name": "shop",
        "adapter_type": "postgres",
    }
    nodes = {entry["unique_id"]: entry for model in of.models for entry in _build_nodes(model, of)}
    sources = {_build_id(table, of): _build_source(table, of) for table in range(of.sources)}
    manifest = {"metadata": metadata, "nodes": nodes, "sources": sources, "exposures": {}, "groups": {}}
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    catalog = {
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/catalog/v1.json", "generated_at": GENERATED_AT},
        "nodes": {_build_id(model.number, of): _build_listing(model.number) for model in of.models},
        "sources": {_build_id(table, of): _build_listing(table) for table in range(of.sources)},
    }
    (folder / "catalog.json").write_bytes(msgspec.json.encode(catalog))
    return folder


def _build_id(table: int, of: Project) -> str:
    return f"source.shop.raw.{build_name(table)}" if table < of.sources else f"model.shop.{build_name(table)}"


def _build_nodes(model: Model, of: Project) -> Iterator[dict[str, Any]]:
    """A model and a test of it."""
    reads = [_build_id(table, of) for table in dict.fromkeys((model.first, model.second))]
    yield {
        **_build_table(model.number, of),
        "resource_type": "model",
        "alias": build_name(model.number),
        "config": {
            "enabled": True,
            "materialized": "table",
            "tags": [],
            "meta": {},
            "access": "protected",
            "contract": {"enforced": False},
        },
        "raw_code": model.sql,
        "compiled": True,
        "compiled_code": model.sql,
        "language": "sql",
        "checksum": {"name": "sha256", "checksum": f"{model.number}-{model.less}"},
        "depends_on": {"macros": [], "nodes": reads},
    }
    yield {
        "name": f"unique_{build_name(model.number)}_id",
        "resource_type": "test",
        "unique_id": f"test.shop.unique_{build_name(model.number)}_id",
        "column_name": "id",
        "attached_node": _build_id(model.number, of),
        "test_metadata": {"name": "unique", "kwargs": {"column_name": "id"}},
        "config": {"severity": "ERROR"},
        "depends_on": {"macros": [], "nodes": [_build_id(model.number, of)]},
        "compiled_code": f"select id, count(*) from {build_relation(model.number)} group by id having count(*) > 1",
    }


def _build_source(table: int, of: Project) -> dict[str, Any]:
    return {**_build_table(table, of), "resource_type": "source", "source_name": "raw", "identifier": build_name(table)}


def _build_table(table: int, of: Project) -> dict[str, Any]:
    return {
        "unique_id": _build_id(table, of),
        "name": build_name(table),
        "package_name": "shop",
        "original_file_path": f"models/{build_name(table)}.sql",
        "database": DATABASE,
        "schema": SCHEMA,
        "relation_name": build_relation(table),
        "description": f"Orders by customer, as of step {table}.",
        "columns": {
            column: {"name": column, "description": f"The {column} of an order.", "meta": {}, "data_type": None, "tags": []}
            for column in COLUMNS
        },
        "meta": {},
        "tags": [],
    }


def _build_listing(table: int) -> dict[str, Any]:
    columns = {column: {"type": "text", "index": i, "name": column, "comment": None} for i, column in enumerate(COLUMNS, start=1)}
    return {"metadata": {"type": "BASE TABLE", "schema": SCHEMA, "name": build_name(table)}, "columns": columns}
