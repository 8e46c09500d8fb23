"""dbt: damaged and hostile artifacts. Each bad entry is one refusal that names its place; the rest is read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.dbt.source import Dbt
from meshline.ingest.sources.reading_loader import Loading, load_reading
from tests.ingest.sources.dbt_target import (
    EXAMPLE,
    PG,
    build_manifest,
    build_model_node,
    build_source_node,
    catch_error,
    read_again,
    read_target,
    target,
)

__all__ = ["target"]

Write = Callable[..., Path]
GOOD = {"model.shop.good": build_model_node("good")}
GOOD_SCOPES = {("dbt", "model.shop.good")}


def test_one_bad_node_is_one_refusal(target: Write) -> None:
    nodes = {**GOOD, "model.shop.bad": build_model_node("bad", columns={"id": {"name": 7}})}
    folder = target(manifest=build_manifest(nodes))
    reading = read_target(folder)
    assert set(reading.facts) == GOOD_SCOPES
    assert reading.messages == [f"{folder}/manifest.json: nodes.model.shop.bad.columns[...].name: Expected `str`, got `int`"]
    assert reading.refused[0].about == ("dbt", "model.shop.bad")


@pytest.mark.parametrize(
    ("section", "entry", "message"),
    [
        ("nodes", 7, "Expected `object`, got `int`"),
        ("nodes", {}, "Object missing required field `resource_type`"),
        ("nodes", {"resource_type": "model"}, "Object missing required field `name`"),
        ("nodes", {"resource_type": "test", "name": None}, ".name: Expected `str`, got `null`"),
        ("nodes", build_model_node("", alias=None), "found an empty name"),
        ("sources", build_source_node("a", tags=7), ".tags: Expected `str | array | null`, got `int`"),
        ("exposures", {"name": "a", "owner": "ana"}, ".owner: Expected `object`, got `str`"),
        ("groups", {"name": "a"}, "Object missing required field `owner`"),
        ("metrics", {"depends_on": {"nodes": "a"}}, ".depends_on.nodes: Expected `array`, got `str`"),
        ("semantic_models", [], "Expected `object`, got `array`"),
    ],
)
def test_bad_entries(target: Write, section: str, entry: Any, message: str) -> None:
    document = build_manifest(GOOD)
    document.setdefault(section, {})["x"] = entry
    reading = read_target(target(manifest=document))
    assert set(reading.facts) == GOOD_SCOPES
    (refusal,) = reading.messages
    assert f"manifest.json: {section}.x" in refusal
    assert message in refusal


@pytest.mark.parametrize("depth", [65, 900])
def test_meta_that_nests_too_deeply_is_refused(target: Write, depth: int) -> None:
    nodes = {**GOOD, "model.shop.deep": build_model_node("deep", meta="DEEP")}
    deep = json.dumps(build_manifest(nodes)).replace('"DEEP"', '{"a": ' * depth + "1" + "}" * depth)
    reading = read_target(target(manifest=deep))
    assert set(reading.facts) == GOOD_SCOPES
    (refusal,) = reading.messages
    assert refusal.endswith("manifest.json: nodes.model.shop.deep: nested more than 64 levels deep")


def test_a_manifest_that_nests_without_end_is_refused(target: Write) -> None:
    nodes = {"model.shop.deep": build_model_node("deep", meta="DEEP")}
    deep = json.dumps(build_manifest(nodes)).replace('"DEEP"', "[" * 100_000 + "]" * 100_000)
    folder = target(manifest=deep)
    assert catch_error(folder) == f"{folder}/manifest.json: nested more than 64 levels deep"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "manifest.json:1:1: this is not JSON: the file is empty"),
        ('{"metadata": {},\n"nodes": {"a": {"x": ', "manifest.json:2:21: this is not JSON: the file ends in the middle of a value"),
        ('{"metadata": {},\n\n "nodes": {,', "manifest.json:3:12: this is not JSON: object keys must be strings"),
        ("[]", "Expected `object`, got `array`"),
        ('{"nodes": {}}', "Object missing required field `metadata`"),
        ('{"metadata": {}, "nodes": []}', "Expected `object`, got `array`"),
        ('{"metadata": {}, "nodes": {}}', "accepted: manifests v9 to v12 (dbt 1.5 and newer)"),
        ('{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v8.json"}, "nodes": {}}', "accepted: manifests v9"),
        ('{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/catalog/v1.json"}, "nodes": {}}', "accepted: manifests v9"),
    ],
)
def test_what_is_no_manifest(target: Write, text: str, message: str) -> None:
    folder = target(manifest=text)
    error = catch_error(folder)
    assert error.startswith(f"{folder}/manifest.json:")
    assert message in error


def test_a_newer_manifest_is_read_as_far_as_it_is_known(target: Write) -> None:
    document = build_manifest(GOOD)
    document["metadata"]["dbt_schema_version"] = "https://schemas.getdbt.com/dbt/manifest/v13.json"
    reading = read_target(target(manifest=document))
    assert set(reading.facts) == GOOD_SCOPES
    assert any("the manifest has version v13, newer than v12" in warning for warning in reading.warnings)


@pytest.mark.parametrize("name", ["catalog", "run_results", "sources"])
def test_other_artifacts_that_cannot_be_read_do_not_stop_the_manifest(target: Write, name: str) -> None:
    folder = target(manifest=build_manifest(GOOD), **{name: "{broken"})
    reading = read_target(folder)
    assert set(reading.facts) == GOOD_SCOPES
    (refusal,) = reading.messages
    assert refusal.startswith(f"{folder}/{name}.json:1:2: this is not JSON: ")


def test_one_bad_result_is_one_refusal(target: Write) -> None:
    node = build_source_node("orders", freshness={"warn_after": {"count": 1, "period": "day"}})
    results = [{"unique_id": 1}, {"unique_id": "source.shop.raw.orders", "status": "pass", "snapshotted_at": "2026-03-08T03:00:00Z"}]
    reading = read_target(target(manifest=build_manifest({}, sources={"source.shop.raw.orders": node}), sources={"results": results}))
    assert len(reading.messages) == 1
    assert "sources.json: results[0].unique_id: Expected `str`, got `int`" in reading.messages[0]
    assert ("quality", "dbt/shop", PG, "db.raw.orders") in reading.facts


def test_a_bad_node_is_not_one_that_is_gone(target: Write) -> None:
    store = SqliteStore()
    graph = LiveGraph.open(store)
    load_target(graph, target(manifest=build_manifest({**GOOD, "model.shop.b": build_model_node("b")})))
    spoilt = load_target(graph, target(manifest=build_manifest({**GOOD, "model.shop.b": {"resource_type": "model"}})))
    assert (spoilt.retracted, spoilt.kept, len(spoilt.refused)) == (0, 1, 1)
    gone = load_target(graph, target(manifest=build_manifest(GOOD)))
    assert (gone.retracted, gone.kept) == (1, 0)
    assert graph.index.assets.find_by_key(model.build_dataset_key(PG, "db.marts.b")) is None
    assert graph.index.assets.find_by_key(model.build_dataset_key(PG, "db.marts.good")) is not None
    store.close()


def load_target(graph: LiveGraph, folder: Path) -> Loading:
    source = Dbt(path=folder, namespace=PG)
    return load_reading(graph, source.read(build_context(graph, Naming(), folder, source.source)), 1_800_000_000_000_000)


def test_twice_in_a_row_writes_nothing() -> None:
    store = SqliteStore()
    graph = LiveGraph.open(store)
    first = load_target(graph, EXAMPLE / "dbt" / "target")
    second = load_target(graph, EXAMPLE / "dbt" / "target")
    assert first.new > 20
    assert (second.new, second.changed, second.retracted, second.refused) == (0, 0, 0, ())
    assert second.revision == first.revision
    store.close()


VALUES: list[Any] = [None, 3, -1.5, "", "x", True, [], {}, [None], {"a": {}}, 10**30, "\x00", "é日"]


def list_places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from list_places(child, (*path, key))


def replace_place(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    if not path:
        return value
    here = document
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return document


def build_small_manifest() -> dict[str, Any]:
    """One of each from the example."""
    document = json.loads((EXAMPLE / "dbt" / "target" / "manifest.json").read_text())
    keep = ("model.marts.revenue_daily", "test.marts.not_null_revenue_daily_day")
    document["nodes"] = {id_: node for id_, node in document["nodes"].items() if id_.startswith(keep)}
    for section in ("sources", "exposures", "groups"):
        document[section] = dict(list(document[section].items())[:1])
    for node in document["nodes"].values():
        node["config"] = {
            k: v for k, v in node["config"].items() if k in ("materialized", "group", "meta", "contract", "severity", "access")
        }
    return {name: document[name] for name in ("metadata", "nodes", "sources", "exposures", "groups")}


def test_any_value_in_any_place_is_read_or_refused(target: Write) -> None:
    """Any value at any place: no exception, and only the entry with the value is lost."""
    document = build_small_manifest()
    whole = len(read_target(target(manifest=document)).facts)
    assert whole >= 5
    every = list(list_places(document))
    for number, path in enumerate(every):
        value = VALUES[number % len(VALUES)]
        folder = target(manifest=replace_place(document, path, value))
        if len(path) < 2 or path[0] == "metadata":
            with suppress(InvalidInput):
                read_target(folder)
        else:
            reading = read_target(folder)
            assert len(reading.messages) <= 1, (path, value, reading.messages)
            assert len(reading.facts) + 3 >= whole, (path, value)


def test_hostile_names_are_only_names(target: Write) -> None:
    id_ = "model.shop.'; drop table x; --\n\x00"
    reading = read_target(target(manifest=build_manifest({id_: build_model_node("../../etc/passwd", alias="a.b\"c'")})))
    assert reading.find_attributes(model.build_dataset_key(PG, "db.marts.a.b\"c'"))["dbt_id"] == id_
    assert read_again(target(), reading).unchanged
