"""The graph for people in Neo4j: as the server has it, and as the decoded heads require it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from meshline.graph.content import decode_facts
from meshline.graph.model import AssetKey, AssetKind, Flow, Json, Precedence
from meshline.graph.store.base import Head
from tests.servers import Neo4jServer

LABELS = {
    AssetKind.DOMAIN: "Domain",
    AssetKind.DATA_PRODUCT: "DataProduct",
    AssetKind.DATASET: "Dataset",
    AssetKind.COLUMN: "Column",
    AssetKind.JOB: "Job",
    AssetKind.CONSUMER: "Consumer",
    AssetKind.OWNER: "Owner",
    AssetKind.CONTRACT: "Contract",
}
OWN = {"id", "kind", "parts", "name", "namespace", "qualifiedName", "dataset", "words", "sort"}


class Node(NamedTuple):
    labels: frozenset[str]
    name: str
    namespace: str | None
    qualified_name: str
    attributes: str  # JSON
    scopes: frozenset[tuple[str, tuple[str, ...]]]


class Relationship(NamedTuple):
    type: str
    start: str
    end: str
    properties: str  # JSON
    scopes: frozenset[tuple[str, tuple[str, ...]]]


class Drawing(NamedTuple):
    nodes: dict[str, Node]
    relationships: set[Relationship]


def read_drawing(server: Neo4jServer) -> Drawing:
    """The graph as a person finds it on the server."""
    with server.session() as session:
        scopes = {
            record["id"]: (record["source"], tuple(record["parts"]))
            for record in session.run("MATCH (s:Scope) RETURN s.id AS id, s.source AS source, s.parts AS parts")
        }
        nodes = {}
        for n, scope_ids, linked in session.run(
            "MATCH (n:Asset) RETURN n, [(o:Source)-[:HAS_SCOPE]->(s:Scope)-[:SAYS|MENTIONS]->(n) | s.id], "
            "reduce(ids = [], some IN [(n)-[r]-() WHERE r.scopes IS NOT NULL | r.scopes] | ids + some)"
        ).values():
            assert len(scope_ids) == len(set(scope_ids)), "a scope has one SAYS or MENTIONS relationship to a node"
            attributes = {name: value for name, value in n.items() if name not in OWN}
            labels = frozenset(n.labels - {"Name", "Asset"})
            nodes[n["id"]] = Node(
                labels,
                n["name"],
                n.get("namespace"),
                n["qualifiedName"],
                _format_json(attributes),
                frozenset(scopes[s] for s in [*scope_ids, *linked]),
            )
        twice = "MATCH (s:Scope)-[:MENTIONS]->(n) MATCH (n)-[q]-() WHERE s.id IN q.scopes RETURN s.parts, n.id"
        assert not session.run(twice).values(), "a scope mentions what no other relationship of it has"
        listed = "MATCH (s:Scope)-[r:SAYS]->(n)<-[q:HAS_COLUMN]-() WHERE s.id IN q.scopes AND r.words IS NULL RETURN s.parts, n.id"
        assert not session.run(listed).values(), "what a scope states of a column that it lists is in its content"
        relationships = set()
        for type_, start, end, properties in session.run(
            "MATCH (a)-[r]->(b) WHERE a:Name AND b:Name RETURN type(r), a.id, b.id, properties(r)"
        ).values():
            scope_ids = properties.pop("scopes")
            properties.pop("jobId", None)  # which earlier versions wrote
            assert len(scope_ids) == len(set(scope_ids)) > 0
            relationship = Relationship(type_, start, end, _format_json(properties), frozenset(scopes[s] for s in scope_ids))
            assert relationship not in relationships, "equal relationships are stored once"
            relationships.add(relationship)
        hidden = session.run(
            "MATCH (n:Name) WHERE NOT n:Asset RETURN count { (n)--() } AS n, size(labels(n)) AS labels, keys(n) AS keys"
        ).values()
        assert all((n, labels) == (0, 1) and set(keys) <= OWN for n, labels, keys in hidden), (
            "a name that no statement refers to has no properties but its own"
        )
    return Drawing(nodes, relationships)


def build_drawing(heads: Iterable[Head]) -> Drawing:
    """The graph that Neo4j should contain, from the decoded heads."""
    mentioned: defaultdict[AssetKey, set[tuple[str, tuple[str, ...]]]] = defaultdict(set)
    stated: defaultdict[AssetKey, list[tuple[int, str, str, Json]]] = defaultdict(list)
    relationships: defaultdict[tuple[str, str, str, str], set[tuple[str, tuple[str, ...]]]] = defaultdict(set)
    for head in heads:
        assert head.content is not None
        by = (head.source, head.scope)
        facts = decode_facts(head.content.blob)
        for asset in facts.assets:
            mentioned[asset.key].add(by)
            for name, value in asset.attributes.items():
                stated[asset.key].append((head.observed_at, head.source, name, value))
        for edge in facts.edges:
            mentioned[edge.start].add(by)
            mentioned[edge.end].add(by)
            text = msgspec.json.encode(dict(edge.attributes), order="deterministic").decode()
            relationships[
                edge.type.value, edge.start.id, edge.end.id, _format_json({"said": text, **_select_simple_attributes(edge.attributes)})
            ].add(by)
        for flow in facts.flows:
            for key in (flow.start, flow.end, flow.job):
                if key is not None:
                    mentioned[key].add(by)
            relationships["FLOWS_TO", flow.start.id, flow.end.id, _format_json(_build_flow_properties(flow))].add(by)
    for key in list(mentioned):
        if key.kind is AssetKind.COLUMN:
            mentioned[AssetKey(AssetKind.DATASET, key.parts[:2])] |= mentioned[key]
    nodes = {
        key.id: Node(
            frozenset({LABELS[key.kind]}),
            key.name,
            key.parts[0] if len(key.parts) > 1 else None,
            key.qualified_name,
            _format_json(_merge_attributes(stated[key])),
            frozenset(by),
        )
        for key, by in mentioned.items()
    }
    return Drawing(nodes, {Relationship(*relationship, frozenset(by)) for relationship, by in relationships.items()})


def _build_flow_properties(flow: Flow) -> dict[str, Json]:
    job: dict[str, Json] = {"job": flow.job.qualified_name if flow.job else ""}
    if flow.start.kind is AssetKind.DATASET:
        return {"type": "DATASET", "subtype": "", "masking": False, "covered": flow.covered, **job}
    return {"type": flow.type.value, "subtype": flow.subtype, "masking": flow.masking, "covered": flow.covered, **job}


def _merge_attributes(stated: list[tuple[int, str, str, Json]]) -> dict[str, Json]:
    result: dict[str, Json] = {}
    tags: set[str] = set()
    ranks = Precedence()
    # The weakest source first, so that the value of the strongest remains.
    for _, _, name, value in sorted(stated, key=lambda s: (-ranks.rank(s[1], s[2]), s[0], s[1], _format_json(s[3]))):
        for simple, kept in _select_simple_attributes({name: value}).items():
            result[simple] = kept
            if name == "tags":
                assert isinstance(kept, list)
                tags |= {str(tag) for tag in kept}
    return {**result, "tags": [*sorted(tags)]} if tags else result


def _select_simple_attributes(attributes: object) -> dict[str, Json]:
    assert isinstance(attributes, dict)
    result = {}
    for name, value in attributes.items():
        plain = isinstance(value, str | float | bool) or (isinstance(value, int) and -(2**63) <= value < 2**63)
        plain = plain or (isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value))
        camel = re.sub("_([a-z])", lambda m: m[1].upper(), name)
        if plain and re.fullmatch("[a-z][a-z0-9_]*", name) and camel not in OWN | {"said", "scopes"}:
            result[camel] = value
    return result


def _format_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
