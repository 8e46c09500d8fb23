"""Questions of agents about lineage and people: what depends on an asset, where it comes from, how data flows, whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshline.app.agents.answers import Answer, Row, limit_list, list_reasons, slice_rows
from meshline.app.agents.tool_arguments import MAX_PATHS, ImpactArguments, OwnersArguments, PathsArguments, TraceArguments
from meshline.app.agents.tool_assets import (
    SHOWN_NAME,
    Ask,
    Asset,
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
from meshline.errors import MeshlineError
from meshline.graph.model import Json
from meshline.words import format_count, shorten_text

DRAWN = 1_000  # assets of a trace


def _build_recipient(notice: Mapping[str, Any]) -> Content:
    """`lastRead`: when a consumer was last seen to read what is affected, and how often."""
    reads = notice["reads"]
    return drop_empty(
        {
            "name": notice["recipient"]["name"],
            "why": notice["why"],
            "assets": notice["total"],
            "contact": notice["contact"],
            "lastRead": None if reads is None else reads["lastRead"],
            "reads": None if reads is None else reads["count"],
        }
    )


def compute_impact(ask: Ask, asked: ImpactArguments) -> Answer:
    asset = resolve_asset(ask, asked.asset)
    owner = None if asked.owner is None else resolve_asset(ask, asked.owner, "OWNER").id
    variables = {"id": asset.id, "kinds": get_kinds(asked.kinds), "owner": owner, "first": asked.limit, "after": asked.next}
    impact = ask(read_query("impact"), variables)["impact"]
    page = impact["assets"]
    rows = [Row(edge["cursor"], _build_affected(edge["node"])) for edge in page["edges"]]
    reach = {count["key"]: count["count"] for count in impact["byReach"]}
    total = impact["total"]
    sentence = f"No asset is known to be affected by {asset.quoted}."
    if total:
        certain = reach.get("DIRECT", 0) + reach.get("INDIRECT", 0)
        sentence = (
            f"{asset.quoted} affects {format_count(total, 'asset')}: {certain} by known lineage, {reach.get('POSSIBLE', 0)} only possibly."
        )
        if asked.kinds is not None or owner is not None:
            sentence += f" {page['totalCount']} of them pass the filter."
    facts: Content = drop_empty(
        {
            "byReach": {key.lower(): count for key, count in reach.items()},
            "byKind": {get_kind_name(one["key"]): one["count"] for one in impact["byKind"]},
            "byOwner": limit_list((f"{one['label']}: {one['count']}" for one in impact["byOwner"]), 30),
            "mayBeReadBy": limit_list((f"{one['label']}: {one['count']}" for one in impact["byReader"] if one["key"]), 30),
            "byDomain": limit_list((f"{one['label']}: {one['count']}" for one in impact["byDomain"]), 30),
            "notify": limit_list(_build_recipient(one) for one in impact["notify"]),
        }
    )
    completeness = impact["completeness"]
    reasons = list_reasons(completeness)
    return Answer(sentence, facts, "assets", rows, page["totalCount"], page["pageInfo"]["hasNextPage"], reasons, completeness["revision"])


def _build_affected(entry: Mapping[str, Any]) -> Content:
    node = entry["node"]
    return drop_empty(
        {
            **name_asset(node),
            "reach": entry["reach"].lower(),
            "distance": entry["distance"],
            "masked": entry["masked"] or None,
            "domain": get_name(node["domain"]),
            "owners": list_owner_names(node),
        }
    )


def trace_asset(ask: Ask, asked: TraceArguments) -> Answer:
    asset = resolve_asset(ask, asked.asset)
    granularity = "COLUMN" if asset.kind == "COLUMN" else "DATASET"
    drawing = ask(read_query("trace"), {"id": asset.id, "granularity": granularity, "limit": DRAWN})["lineage"]
    completeness = drawing["completeness"]
    nodes = {node["asset"]["id"]: node for node in drawing["nodes"]}
    sources = [node["asset"] for node in drawing["nodes"] if not node["start"] and not node["upstream"]["direct"]]
    steps = sorted(drawing["edges"], key=lambda edge: _order_step(nodes, edge))
    contents = [_build_step(nodes, edge) for edge in steps]
    rows, more = slice_rows(contents, asked.next, asked.limit, completeness["revision"])
    sentence = f"Nothing is known about where {asset.quoted} comes from."
    if steps:
        sentence = (
            f"{asset.quoted} comes from {format_count(len(sources), 'source')} by {format_count(len(steps), 'step')}, the nearest first."
        )
    because = list_reasons(completeness)
    all_nodes = completeness["total"]
    if all_nodes is not None and all_nodes > len(nodes):
        because.insert(0, f"Only the nearest {len(nodes)} of {all_nodes} assets upstream are in this answer.")
    facts: Content = {"sources": limit_list(name_asset(source) for source in sources)}
    return Answer(sentence, facts, "steps", rows, len(contents), more, because, completeness["revision"])


def _order_step(nodes: Mapping[str, Any], edge: Mapping[str, Any]) -> tuple[int, str, str]:
    source, target = nodes[edge["from"]["id"]], nodes[edge["to"]["id"]]
    return (target["distance"], target["asset"]["qualifiedName"], source["asset"]["qualifiedName"])


def _build_step(nodes: Mapping[str, Any], edge: Mapping[str, Any]) -> Content:
    return drop_empty(
        {
            "from": nodes[edge["from"]["id"]]["asset"]["qualifiedName"],
            "fromId": edge["from"]["id"],
            "to": nodes[edge["to"]["id"]]["asset"]["qualifiedName"],
            "reach": edge["reach"].lower(),
            "transformation": edge["subtype"],
            "masking": edge["masking"] or None,
            "stale": edge["stale"] or None,
            "jobs": limit_list((job["qualifiedName"] for job in edge["jobs"]), 3),
            "code": limit_list((job["sql"] for job in edge["jobs"] if job["sql"]), 1),
        }
    )


def list_paths(ask: Ask, asked: PathsArguments) -> Answer:
    source, target = resolve_asset(ask, asked.source), resolve_asset(ask, asked.target)
    data = ask(read_query("paths"), {"source": source.id, "target": target.id, "first": asked.limit + 1})
    found, completeness = data["paths"], data["impact"]["completeness"]
    rows = [Row("", {"steps": [_build_path_step(step) for step in path["steps"]]}) for path in found[: asked.limit]]
    more = len(found) > asked.limit
    because = list_reasons(completeness)
    if hidden := sum(step["hidden"] for path in found for step in path["steps"]):
        because.insert(0, f"The paths lead through {format_count(hidden, 'asset')} that you may not see.")
    sentence = f"No path of data is known from {source.quoted} to {target.quoted}."
    if found:
        count = f"more than {format_count(asked.limit, 'path')}" if more else format_count(len(found), "path")
        sentence = f"Data flows from {source.quoted} to {target.quoted} by {count}, the most certain and shortest first."
    total = None if more else len(found)
    facts: Content = {"raiseLimit": f"up to {MAX_PATHS}"} if more and asked.limit < MAX_PATHS else {}
    return Answer(sentence, facts, "paths", rows, total, more=False, because=because, revision=completeness["revision"])


def _build_path_step(step: Mapping[str, Any]) -> Json:
    return drop_empty(
        {
            **name_asset(step["asset"]),
            "by": get_name(step["job"]),
            "edge": None if step["edgeType"] is None else step["edgeType"].lower(),
            "reach": None if step["reach"] is None else step["reach"].lower(),
            "transformation": step["subtype"],
            "masking": step["masking"] or None,
            "hidden": step["hidden"] or None,
        }
    )


def list_owners(ask: Ask, asked: OwnersArguments) -> Answer:
    resolved: list[Asset | MeshlineError] = []
    for name in asked.assets:
        try:
            resolved.append(resolve_asset(ask, name))
        except MeshlineError as error:
            if error.code not in ("NOT_FOUND", "AMBIGUOUS"):
                raise
            resolved.append(error)
    found = [one for one in resolved if isinstance(one, Asset)]
    data = ask(read_query("owners"), {"ids": [one.id for one in found]})
    nodes = {node["id"]: node for node in data["nodes"] if node is not None}
    contents: list[Content] = []
    because: list[str] = []
    unowned = 0
    for name, one in zip(asked.assets, resolved, strict=True):
        if not isinstance(one, Asset) or one.id not in nodes:
            contents.append({"asked": name, "error": str(one) if isinstance(one, MeshlineError) else "it has just left the graph"})
            because.append(f"{shorten_text(name, SHOWN_NAME)!r} was not resolved: its row states why.")
            continue
        node = nodes[one.id]
        unowned += not node["owners"]
        contents.append({"asked": name, **name_asset(node), "owners": [describe_owner(own) for own in node["owners"][:10]]})
    sentence = (
        f"{len(found) - unowned} of {format_count(len(contents), 'asset')} {'has' if len(found) - unowned == 1 else 'have'} an owner."
    )
    if unowned:
        because.append(f"For {format_count(unowned, 'asset')} no source states an owner at any level.")
    revision = data["about"]["revision"]
    rows, _ = slice_rows(contents, None, len(contents), revision)
    return Answer(sentence, {}, "assets", rows, len(contents), more=False, because=because, revision=revision)
