"""The mesh as records of DataHub: read back with the same answers, and (in the long tests) by DataHub's own library."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from meshline.app.exchange.datahub_records import iterate_records
from meshline.app.exchange.datahub_urns import Place, Urns, parse_place
from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, Facts, Statement, build_dataset_key
from meshline.graph.naming import Naming
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.datahub.source import DataHub
from meshline.ingest.sources.reading_loader import Loading, load_reading
from tests.cli.command import run_command, run_successfully
from tests.exchange.round_trip import build_graph, collect_owners, collect_reached, list_assets, read_state, statements
from tests.index.heads import build_flow, build_statement, state_lineage, state_schema, to_dataset
from tests.index.strategies import draw_lists
from tests.sizes import ALL, count_examples

SERVERS = Path(__file__).resolve().parents[2] / "scripts" / "servers"
MODEL: dict[str, Any] = json.loads(Path(__file__).with_name("datahub_model.json").read_text("utf-8"))
KNOWN = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.b,PROD)"


def export(graph: LiveGraph, **others: Any) -> bytes:
    return b"".join(iterate_records(read_state(graph), {}, **others))


def load(data: bytes) -> tuple[LiveGraph, Loading]:
    """An empty graph that reads the records."""
    graph = LiveGraph.open(open_store("sqlite://"))
    with TemporaryDirectory() as folder:
        (Path(folder) / "datahub.json").write_bytes(data)
        source = DataHub(files=("datahub.json",))
        return graph, load_reading(graph, source.read(build_context(graph, Naming(), Path(folder), source.source)), 1)


@settings(max_examples=count_examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(draw_lists(statements))
def test_a_mesh_that_is_exported_and_read_gives_the_same_answers(drawn: list[Statement]) -> None:
    first = build_graph(drawn)
    second, loading = load(export(first))
    assert (loading.refused, loading.warnings) == ((), ())
    keys = list_assets(first.index)
    assert set(keys) <= set(list_assets(second.index))
    assert collect_reached(second.index, keys) == collect_reached(first.index, keys)
    assert collect_owners(second.index, keys) == collect_owners(first.index, keys)


def test_the_example_gives_the_same_answers(example_graph: LiveGraph) -> None:
    second, loading = load(export(example_graph))
    assert (loading.refused, loading.warnings) == ((), ())
    keys = list_assets(example_graph.index)
    assert list_assets(second.index) == keys
    assert collect_reached(second.index, keys) == collect_reached(example_graph.index, keys)


def collect_named(schema: Any) -> Iterator[tuple[str, Any]]:
    """The records and enums in a schema, by the last parts of their names."""
    if isinstance(schema, dict) and "name" in schema and schema.get("type") in ("record", "enum"):
        yield schema["name"].rpartition(".")[2], schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from collect_named(inner)


def list_problems(schema: Any, value: Any, where: str, known: dict[str, Any]) -> Iterator[str]:
    """Where a value in Avro's JSON, as DataHub's file sink writes it, differs from a schema of its model. `known`: named types."""
    if isinstance(schema, str):
        schema = known.get(schema.rpartition(".")[2], schema)
    if isinstance(schema, list):
        choices = [one for one in schema if one != "null"]
        if value is None:
            yield from () if "null" in schema else (f"{where}: is null",)
        elif len(choices) == 1:
            yield from list_problems(choices[0], value, where, known)
        else:
            (name, inner), *_ = value.items() if isinstance(value, dict) else [("", value)]
            found = [
                one for one in choices if name.rpartition(".")[2] == (one["name"] if isinstance(one, dict) else one).rpartition(".")[2]
            ]
            yield from list_problems(found[0], inner, where, known) if found else (f"{where}: {value} is none of {choices}",)
        return
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        fields = {field["name"]: field for field in schema["fields"]}
        yield from (f"{where}.{name}: there is no such field" for name in value.keys() - fields.keys())
        yield from (f"{where}.{name}: is missing" for name, field in fields.items() if "default" not in field and name not in value)
        for name, one in value.items():
            yield from list_problems(fields[name]["type"], one, f"{where}.{name}", known) if name in fields else ()
    elif kind == "array":
        for one in value:
            yield from list_problems(schema["items"], one, f"{where}[]", known)
    elif kind == "map":
        yield from (f"{where}.{name}: is no text" for name, one in value.items() if not isinstance(one, str))
    elif kind == "enum":
        yield from () if value in schema["symbols"] else (f"{where}: {value} is none of {schema['symbols']}",)
    else:
        types = {"string": str, "boolean": bool, "int": int, "long": int, "float": float, "double": float}
        yield from (
            () if isinstance(value, types[kind if isinstance(kind, str) else kind["type"]]) else (f"{where}: {value!r} is no {kind}",)
        )


NAMED = dict(collect_named(MODEL))


def list_model_problems(records: list[dict[str, Any]]) -> list[str]:
    whole = [one for one in records if one["changeType"] == "UPSERT"]
    return [found for one in whole for found in list_problems(MODEL[one["aspectName"]], one["aspect"]["json"], one["aspectName"], NAMED)]


def test_aspects_are_as_the_model_of_datahub_describes_them(example_graph: LiveGraph) -> None:
    records = json.loads(export(example_graph))
    assert list_model_problems(records) == []
    assert len({one["aspectName"] for one in records}) > 12
    broken = {**records[0], "aspectName": "ownership", "aspect": {"json": {"owners": [{"owner": "x", "type": "KING"}], "other": 1}}}
    assert list_model_problems([broken]) == [
        "ownership.other: there is no such field",
        *[one for one in list_model_problems([broken]) if one.startswith("ownership.owners[].type: KING is none of")],
    ]
    assert len(list_model_problems([broken])) == 2


def build_known() -> LiveGraph:
    """Two datasets, one of which DataHub described, with what other sources state of it."""
    fact = AssetFact(to_dataset("b"), {"datahub_urn": KNOWN, "description": "of DataHub", "tags": ["gold"]})
    return build_graph(
        [
            build_statement(Facts(assets=(fact,)), ("datahub", KNOWN), source="datahub/x"),
            state_schema("a", "x"),
            state_schema("b", "y"),
            state_lineage(build_flow("a.x", "b.y", by="")),
        ]
    )


def test_what_datahub_described_is_only_added_to() -> None:
    records = [one for one in json.loads(export(build_known())) if one["entityUrn"] == KNOWN]
    assert {(one["changeType"], one["aspectName"]) for one in records} == {("PATCH", "globalTags"), ("PATCH", "upstreamLineage")}
    assert {one["aspect"]["contentType"] for one in records} == {"application/json-patch+json"}
    lineage = json.loads(next(one["aspect"]["value"] for one in records if one["aspectName"] == "upstreamLineage"))
    start = "urn:li:dataset:(urn:li:dataPlatform:db,a,PROD)"
    assert [one["path"] for one in lineage] == [
        f"/upstreams/{start}",
        f"/fineGrainedLineages/DIRECT/urn:li:schemaField:({KNOWN},y)/NONE/urn:li:schemaField:({start},x)",
    ]
    patched = json.loads(export(build_known(), patch=True))
    assert {one["changeType"] for one in patched if one["entityType"] == "dataset"} == {"PATCH"}


def test_an_export_after_another_has_what_differs_and_what_is_gone() -> None:
    flow = state_lineage(build_flow("a.x", "b.y"))
    first = build_graph([state_schema("a", "x"), state_schema("b", "y"), state_schema("c", "z"), flow])
    before = export(first)
    assert export(first, previous=before) == b"[]\n"
    second = build_graph(
        [state_schema("a", "x", "new"), state_schema("b", "y"), flow._replace(content=build_statement(None, ("x",)).content)]
    )
    changed = {(one["entityUrn"], one["changeType"], one["aspectName"]): one for one in json.loads(export(second, previous=before))}
    a, b, c = (f"urn:li:dataset:(urn:li:dataPlatform:db,{name},PROD)" for name in "abc")
    job = "urn:li:dataJob:(urn:li:dataFlow:(meshline,db,PROD),j)"
    removed = {key: one["aspect"]["json"] for key, one in changed.items() if key[2] == "status"}
    assert removed[c, "UPSERT", "status"] == removed[job, "UPSERT", "status"] == {"removed": True}
    assert (a, "UPSERT", "schemaMetadata") in changed
    assert not [key for key in changed if key[0] == b], "nothing of it differs"


def test_a_file_that_is_no_export_is_refused() -> None:
    for data in (b"{", b"[1]", b'[{"entityUrn": "x"}]', b"\xff"):
        with pytest.raises(InvalidInput, match="no earlier export"):
            export(build_graph([state_schema("a", "x")]), previous=data)


@pytest.mark.parametrize(
    ("namespace", "name", "urn"),
    [
        ("postgres://db:5433", "shop.public.orders", "postgres,shop.public.orders"),
        ("s3://lake", "raw/orders", "s3,lake/raw/orders"),
        ("snowflake://acme", "SHOP.PUBLIC.ORDERS", "snowflake,shop.public.orders"),
        ("snowflake://acme", 'SHOP.PUBLIC."Mixed"', 'snowflake,SHOP.PUBLIC."Mixed"'),
        ("arn:aws:glue:eu-west-1:1", "table/sales/orders", "glue,sales.orders"),
        ("bigquery", "p.d.t", "bigquery,p.d.t"),
        ("datahub://looker", "x", "looker,x"),
        ("odd, (one)", "a,b", "odd_ _one_,a%2Cb"),
    ],
)
def test_datasets_have_the_urns_of_their_platforms(namespace: str, name: str, urn: str) -> None:
    assert Urns({}, {}).build_dataset_urn(build_dataset_key(namespace, name)) == f"urn:li:dataset:(urn:li:dataPlatform:{urn},PROD)"


def test_two_datasets_with_one_urn_are_refused_until_one_has_an_instance() -> None:
    first, second = build_dataset_key("postgres://a", "x.y"), build_dataset_key("postgres://b", "x.y")
    urns = Urns({}, {})
    urns.build_dataset_urn(first)
    with pytest.raises(InvalidInput, match=r"would both be .* --platform postgres/NAME=postgres://b"):
        urns.build_dataset_urn(second)
    apart = Urns({"postgres://b": parse_place("postgres/crm@dev")}, {})
    assert apart.build_dataset_urn(first) == "urn:li:dataset:(urn:li:dataPlatform:postgres,x.y,PROD)"
    assert apart.build_dataset_urn(second) == "urn:li:dataset:(urn:li:dataPlatform:postgres,crm.x.y,DEV)"
    assert parse_place("a/b@c") == Place("a", "b", "C")
    for wrong in ("", "/x", "a b", "a@", "a(b"):
        with pytest.raises(InvalidInput):
            parse_place(wrong)


@pytest.mark.skipif(not ALL, reason="installs DataHub's library: in the long tests")
@pytest.mark.parametrize("patch", [False, True])
def test_its_own_library_reads_and_validates_the_records(example_graph: LiveGraph, tmp_path: Path, *, patch: bool) -> None:
    sys.path.insert(0, str(SERVERS))
    venvs = importlib.import_module("venvs")
    environment = venvs.ensure_environment("datahub", SERVERS / "datahub" / "requirements.txt")
    data = export(example_graph, patch=patch)
    (tmp_path / "records.json").write_bytes(data)
    done = subprocess.run(
        [environment / "bin" / "python", SERVERS / "datahub" / "check_records.py", tmp_path / "records.json"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert sum(json.loads(done.stdout.splitlines()[-1]).values()) == len(json.loads(data))


def test_the_command_writes_a_file_that_the_command_reads(example: str, tmp_path: Path) -> None:
    new = f"sqlite:///{tmp_path / 'new.db'}"
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    run_successfully("export", "datahub", "-o", first, "--platform", "airflow=prod", "--store", example)
    run_successfully("export", "datahub", "-o", second, "--platform", "airflow=prod", "--previous", first, "--store", example)
    assert second.read_bytes() == b"[]\n"
    assert "0 refused" in run_successfully("ingest", "datahub", first, "--store", new).err
    for wrong in (
        ("csv", "--patch"),
        ("cypher", "--runs"),
        ("datahub", "--platform", "x"),
        ("datahub", "--previous", first, "-o", first),
        ("datahub", "--server", "http://127.0.0.1:9"),
    ):
        assert run_command("export", *wrong, "--store", example).code == 2
