"""Questions of agents about assets: which there are, and what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from meshline.app.agents.answers import Answer, Row, limit_list, slice_rows
from meshline.app.agents.tool_arguments import DescribeArguments, FindArguments
from meshline.app.agents.tool_assets import (
    RESTRICTED,
    Ask,
    Content,
    describe_owner,
    drop_empty,
    get_kind_name,
    get_kinds,
    get_name,
    list_owner_names,
    name_asset,
    read_query,
    resolve_asset,
)
from meshline.graph.model import Json
from meshline.words import format_count


def find_assets(ask: Ask, asked: FindArguments) -> Answer:
    domain = None if asked.domain is None else resolve_asset(ask, asked.domain, "DOMAIN").id
    variables = {"text": asked.query, "kinds": get_kinds(asked.kinds), "domain": domain, "first": asked.limit, "after": asked.next}
    data = ask(read_query("find"), variables)
    page = data["search"]
    rows = [Row(edge["cursor"], _build_hit(edge)) for edge in page["edges"]]
    total = page["totalCount"]
    sentence = f"{format_count(total, 'asset')} {'matches' if total == 1 else 'match'}, the best first." if total else "No asset matches."
    because = ["The words match more assets than one search ranks, so the total is too low: add words."] if page["truncated"] else []
    because += RESTRICTED if data["about"]["restricted"] else []
    return Answer(sentence, {}, "assets", rows, total, page["pageInfo"]["hasNextPage"], because, data["about"]["revision"])


def _build_hit(edge: Mapping[str, Any]) -> Content:
    node = edge["node"]
    return drop_empty(
        {
            **name_asset(node),
            "type": node.get("dataType"),
            "domain": get_name(node["domain"]),
            "product": get_name(node["product"]),
            "owners": list_owner_names(node),
            "description": node["description"],
            "why": [_describe_match(match) for match in edge["why"]],
        }
    )


def _describe_match(match: Mapping[str, Any]) -> str:
    context = _PLACES.get(match["place"], "")
    return f"{match['word']} = {match['found']} ({match['meaning'].lower()}{context})"


def describe_asset(ask: Ask, asked: DescribeArguments) -> Answer:
    asset = resolve_asset(ask, asked.asset)
    paged = _PARTS.get(asset.kind)
    by_cursor = paged is not None and paged[1]
    after = asked.next if by_cursor else None
    data = ask(read_query("describe"), {"id": asset.id, "first": asked.limit, "after": after})
    node, revision = dict(data["node"]), data["about"]["revision"]
    name, rows, total, more = "parts", [], 0, False
    if paged is not None and by_cursor:
        name, page = paged[0], node.pop(paged[0])
        rows = [Row(edge["cursor"], drop_empty(_build_part(edge["node"]))) for edge in page["edges"]]
        total, more = page["totalCount"], page["pageInfo"]["hasNextPage"]
    elif paged is not None:
        name = paged[0]
        parts = [drop_empty(_build_part(one)) for one in node.pop(name)]
        rows, more = slice_rows(parts, asked.next, asked.limit, revision)
        total = len(parts)
    counted = f", {name}: {total}" if paged is not None and not _has_unread_parts(node, name) else ""
    sentence = f"{asset.quoted} is {_KIND_WORDS[asset.kind]}{counted}."
    return Answer(sentence, _build_facts(node), name, rows, total, more, list(_list_description_gaps(node)), revision)


_KIND_WORDS = {
    "DATASET": "a dataset",
    "COLUMN": "a column",
    "DATA_PRODUCT": "a data product",
    "DOMAIN": "a domain",
    "OWNER": "an owner",
    "JOB": "a job",
    "CONSUMER": "a consumer",
    "CONTRACT": "a contract",
}
_PLACES = {
    "CONTEXT": " of its dataset or namespace",
    "COLUMN": " of a column",
    "INHERITED": " of a column upstream",
}  # of words that are not in a name itself
_PARTS = {  # by kind: the rows of its description, and whether they come in pages
    "DATASET": ("columns", True),
    "DATA_PRODUCT": ("datasets", True),
    "DOMAIN": ("datasets", True),
    "OWNER": ("owns", True),
    "JOB": ("reads", False),
    "CONSUMER": ("consumes", False),
    "CONTRACT": ("governs", False),
}


def _build_part(node: Mapping[str, Any]) -> Content:
    """A part of an asset as a row. A use is its asset with a purpose."""
    if "asset" in node:
        return {**name_asset(node["asset"]), "purpose": node["purpose"], "contract": node["contractName"]}
    row = dict(node)
    if "qualifiedName" in row:
        row["name"] = row.pop("qualifiedName")
    if "kind" in row:
        row["kind"] = get_kind_name(row["kind"])
    if "dataType" in row:
        row["type"] = row.pop("dataType")
    return {name: value for name, value in row.items() if name not in ("inferred", "unlisted") or value}


def _build_facts(node: dict[str, Any]) -> Content:
    """What is known about an asset besides its rows; texts of the mesh are fields of their own."""
    facts: Content = {**name_asset(node)}
    for name, value in node.items():
        if name in ("id", "kind", "name", "qualifiedName", "access") or (node.get("access") == "BROWSE" and name in _UNREAD):
            continue
        facts[name] = _convert_fact(name, value)
    return drop_empty(facts)


def _convert_fact(name: str, value: Any) -> Json:
    if isinstance(value, list):
        parts = [_convert_part(name, one) for one in value]
        return limit_list(part for place, part in enumerate(parts) if part not in parts[:place])  # a consumer may use several columns
    if isinstance(value, dict):
        return get_name(value) if set(value) <= {"name", "qualifiedName"} else drop_empty(value)
    return value  # type: ignore[no-any-return]


def _convert_part(name: str, part: Mapping[str, Any]) -> Json:
    """An entry of a list of facts: its name, if it has not much more."""
    if name == "owners":
        return describe_owner(part)
    if name == "tags":
        return part["key"] if part["value"] is None else f"{part['key']}={part['value']}"
    if name == "consumers":
        return get_name(part["consumer"])
    if name == "aliases":
        return f"{part['namespace']}/{part['name']}"
    return get_name(part) if set(part) <= {"id", "name", "qualifiedName"} else drop_empty(part)


_UNREAD = frozenset({"described", "inferred", "qualityCounts"})  # are false or 0 of what the caller may not read


def _has_unread_parts(node: Mapping[str, Any], name: str) -> bool:
    """Whether its parts may be more than those of the answer, since the caller may see no more of it than that it exists."""
    return bool(node["access"] == "BROWSE") and name == "columns"


def _list_description_gaps(node: Mapping[str, Any]) -> Iterator[str]:
    if node["access"] == "BROWSE":
        yield "You may see that it exists, and not what is in it (access rules): what is not here may be there. Ask its owners."
        return
    if node["access"] == "READ" and node["kind"] == "JOB":
        yield "Its SQL is not shown to you (access rules)."
    of = node if node["kind"] == "DATASET" else node.get("dataset")
    if of is not None and not of["described"]:
        yield "No source lists the columns of this dataset: there may be more than lineage refers to."
    if node.get("inferred"):
        yield "Only lineage refers to it, no catalog lists it: it may not exist as such."
    if node.get("unlisted"):
        yield "The catalog of the table lacks this column: it may have been removed."
    if not node["owners"] and node["kind"] not in ("OWNER", "CONSUMER"):
        yield "No source states an owner for it at any level."
