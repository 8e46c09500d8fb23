"""The tools of the MCP server: a question of an agent each, with the arguments that it accepts and the queries that answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import msgspec

from meshline.app.agents.answers import Answer, Row, limit_list, list_reasons, slice_rows
from meshline.errors import InvalidInput, MeshlineError
from meshline.graph.model import Json
from meshline.words import format_count, format_time, shorten_text

Ask: TypeAlias = Callable[[str, Mapping[str, object]], Mapping[str, Any]]  # a query and its variables; raises MeshlineError
Content: TypeAlias = dict[str, Json]

KindName = Literal["domain", "product", "dataset", "column", "job", "consumer", "owner", "contract"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, description="id, name, dataset.column, or a unique end of a name")]
Kinds = Annotated[list[KindName], msgspec.Meta(max_length=8, description="only these kinds")]
Rows = Annotated[int, msgspec.Meta(ge=1, le=100, description="rows at most")]
Next = Annotated[str, msgspec.Meta(max_length=20_000, description="`page.next` of the page before")]

DRAWN = 1_000  # assets of a trace
EXAMINED = 50  # upstream datasets of a history
DIFFERENCES = 1_000
SCHEMAS = 100  # lists of columns of each dataset of a history, the newest
HISTORY_DAYS = 30
VIOLATIONS, VIOLATION_PAGES = 500, 20  # of a page, and pages: all that a list filters
MAX_PATHS = 20
SHOWN_NAME = 120  # characters of a name in a sentence
SHOWN_HITS = 5  # consumers of a finding

_VERDICTS = {
    "BREAKING": "No, this may not ship: it breaks consumers or a rule",
    "CONDITIONAL": "Only under the conditions of the findings may this ship",
    "COMPATIBLE": "Yes, this may ship: no rule finds a break",
}


class FindArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    query: Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="words, abbreviations or parts of names")]
    kinds: Kinds | None = None
    domain: Name | None = None
    limit: Rows = 10
    next: Next | None = None


class DescribeArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asset: Name
    limit: Rows = 50
    next: Next | None = None


class ImpactArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asset: Name
    kinds: Kinds | None = None
    owner: Name | None = None
    limit: Rows = 25
    next: Next | None = None


class TraceArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asset: Name
    limit: Rows = 25
    next: Next | None = None


class PathsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: Name
    target: Name
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PATHS, description="paths at most")] = 5


class OwnersArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    assets: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=50)]


class CheckArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    change: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=200_000,
            description="lines: `drop a.b`, `rename a.b to c`, `retype a.b to int`, `require a.b`; or the new text of a file",
        ),
    ]
    form: Annotated[Literal["lines", "ddl", "contract", "product", "schema"], msgspec.Meta(description="what `change` is")] = "lines"
    dialect: Annotated[str, msgspec.Meta(max_length=40, description="SQL dialect of ddl")] | None = None
    dataset: Annotated[str, msgspec.Meta(max_length=4096, description="table of a schema")] | None = None
    limit: Rows = 25
    next: Next | None = None


class HistoryArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asset: Name
    since: Annotated[str, msgspec.Meta(max_length=40, description="ISO 8601 date or time; default: 30 days ago")] | None = None
    limit: Rows = 25
    next: Next | None = None


class ViolationsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asset: Name | None = None
    domain: Name | None = None
    limit: Rows = 25
    next: Next | None = None


class RequestArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asset: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    purpose: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    kind: Literal["metadata", "data"] = "metadata"
    days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30


class Asset(NamedTuple):
    """An asset that a name was resolved to. `dataset`: the id of a column's dataset."""

    id: str
    kind: str
    name: str
    dataset: str | None

    @property
    def quoted(self) -> str:
        """The name as a sentence of ours may contain it."""
        return f'"{shorten_text(self.name, SHOWN_NAME)}"'


@cache
def read_query(name: str) -> str:
    return (files("meshline.app.agents") / "queries" / f"{name}.graphql").read_text("utf-8")


def resolve_asset(ask: Ask, name: str, kind: str | None = None) -> Asset:
    """The one asset that a name refers to; `kind`: which it must be. Raises MeshlineError: NOT_FOUND with similar names, AMBIGUOUS."""
    asked = name if kind is None or ":" in name or "_" in name[:5] else f"{kind.lower()}:{name}"
    found = ask(read_query("resolve"), {"name": asked})["resolve"]
    dataset = found.get("dataset")
    asset = Asset(found["id"], found["kind"], found["qualifiedName"], None if dataset is None else dataset["id"])
    if kind is not None and asset.kind != kind:
        raise InvalidInput(f"{asset.quoted} is a {asset.kind.lower()}; accepted is a {kind.lower()}", kind.lower())
    return asset


def find_assets(ask: Ask, asked: FindArguments) -> Answer:
    domain = None if asked.domain is None else resolve_asset(ask, asked.domain, "DOMAIN").id
    variables = {"text": asked.query, "kinds": _get_kinds(asked.kinds), "domain": domain, "first": asked.limit, "after": asked.next}
    data = ask(read_query("find"), variables)
    page = data["search"]
    rows = [Row(edge["cursor"], _build_hit(edge)) for edge in page["edges"]]
    total = page["totalCount"]
    sentence = f"{format_count(total, 'asset')} {'matches' if total == 1 else 'match'}, the best first." if total else "No asset matches."
    because = ["The words match more assets than one search ranks, so the total is too low: add words."] if page["truncated"] else []
    because += _RESTRICTED if data["about"]["restricted"] else []
    return Answer(sentence, {}, "assets", rows, total, page["pageInfo"]["hasNextPage"], because, data["about"]["revision"])


_RESTRICTED = ["You may see only some assets of the mesh: others are not looked at."]


def _build_hit(edge: Mapping[str, Any]) -> Content:
    node = edge["node"]
    return _drop_empty(
        {
            **_name_asset(node),
            "type": node.get("dataType"),
            "domain": _get_name(node["domain"]),
            "product": _get_name(node["product"]),
            "owners": _list_owner_names(node),
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
        rows = [Row(edge["cursor"], _drop_empty(_build_part(edge["node"]))) for edge in page["edges"]]
        total, more = page["totalCount"], page["pageInfo"]["hasNextPage"]
    elif paged is not None:
        name = paged[0]
        parts = [_drop_empty(_build_part(one)) for one in node.pop(name)]
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
        return {**_name_asset(node["asset"]), "purpose": node["purpose"], "contract": node["contractName"]}
    row = dict(node)
    if "qualifiedName" in row:
        row["name"] = row.pop("qualifiedName")
    if "kind" in row:
        row["kind"] = _get_kind_name(row["kind"])
    if "dataType" in row:
        row["type"] = row.pop("dataType")
    return {name: value for name, value in row.items() if name not in ("inferred", "unlisted") or value}


def _build_facts(node: dict[str, Any]) -> Content:
    """What is known about an asset besides its rows; texts of the mesh are fields of their own."""
    facts: Content = {**_name_asset(node)}
    for name, value in node.items():
        if name in ("id", "kind", "name", "qualifiedName", "access") or (node.get("access") == "BROWSE" and name in _UNREAD):
            continue
        facts[name] = _convert_fact(name, value)
    return _drop_empty(facts)


def _convert_fact(name: str, value: Any) -> Json:
    if isinstance(value, list):
        parts = [_convert_part(name, one) for one in value]
        return limit_list(part for place, part in enumerate(parts) if part not in parts[:place])  # a consumer may use several columns
    if isinstance(value, dict):
        return _get_name(value) if set(value) <= {"name", "qualifiedName"} else _drop_empty(value)
    return value  # type: ignore[no-any-return]


def _convert_part(name: str, part: Mapping[str, Any]) -> Json:
    """An entry of a list of facts: its name, if it has not much more."""
    if name == "owners":
        return _describe_owner(part)
    if name == "tags":
        return part["key"] if part["value"] is None else f"{part['key']}={part['value']}"
    if name == "consumers":
        return _get_name(part["consumer"])
    if name == "aliases":
        return f"{part['namespace']}/{part['name']}"
    return _get_name(part) if set(part) <= {"id", "name", "qualifiedName"} else _drop_empty(part)


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


def _build_recipient(notice: Mapping[str, Any]) -> Content:
    """`lastRead`: when a consumer was last seen to read what is affected, and how often."""
    reads = notice["reads"]
    return _drop_empty(
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
    variables = {"id": asset.id, "kinds": _get_kinds(asked.kinds), "owner": owner, "first": asked.limit, "after": asked.next}
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
    facts: Content = _drop_empty(
        {
            "byReach": {key.lower(): count for key, count in reach.items()},
            "byKind": {_get_kind_name(one["key"]): one["count"] for one in impact["byKind"]},
            "byOwner": limit_list((f"{one['label']}: {one['count']}" for one in impact["byOwner"]), 30),
            "byDomain": limit_list((f"{one['label']}: {one['count']}" for one in impact["byDomain"]), 30),
            "notify": limit_list(_build_recipient(one) for one in impact["notify"]),
        }
    )
    completeness = impact["completeness"]
    reasons = list_reasons(completeness)
    return Answer(sentence, facts, "assets", rows, page["totalCount"], page["pageInfo"]["hasNextPage"], reasons, completeness["revision"])


def _build_affected(entry: Mapping[str, Any]) -> Content:
    node = entry["node"]
    return _drop_empty(
        {
            **_name_asset(node),
            "reach": entry["reach"].lower(),
            "distance": entry["distance"],
            "masked": entry["masked"] or None,
            "domain": _get_name(node["domain"]),
            "owners": _list_owner_names(node),
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
    facts: Content = {"sources": limit_list(_name_asset(source) for source in sources)}
    return Answer(sentence, facts, "steps", rows, len(contents), more, because, completeness["revision"])


def _order_step(nodes: Mapping[str, Any], edge: Mapping[str, Any]) -> tuple[int, str, str]:
    source, target = nodes[edge["from"]["id"]], nodes[edge["to"]["id"]]
    return (target["distance"], target["asset"]["qualifiedName"], source["asset"]["qualifiedName"])


def _build_step(nodes: Mapping[str, Any], edge: Mapping[str, Any]) -> Content:
    return _drop_empty(
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
    return _drop_empty(
        {
            **_name_asset(step["asset"]),
            "by": _get_name(step["job"]),
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
        contents.append({"asked": name, **_name_asset(node), "owners": [_describe_owner(own) for own in node["owners"][:10]]})
    sentence = (
        f"{len(found) - unowned} of {format_count(len(contents), 'asset')} {'has' if len(found) - unowned == 1 else 'have'} an owner."
    )
    if unowned:
        because.append(f"For {format_count(unowned, 'asset')} no source states an owner at any level.")
    revision = data["about"]["revision"]
    rows, _ = slice_rows(contents, None, len(contents), revision)
    return Answer(sentence, {}, "assets", rows, len(contents), more=False, because=because, revision=revision)


def _describe_owner(ownership: Mapping[str, Any]) -> Content:
    owner, level = ownership["owner"], ownership["inheritedFrom"]
    why = "stated for the asset itself" if level is None else f"inherited from its {_get_kind_name(level['kind'])}"
    return _drop_empty(
        {
            "owner": owner["name"],
            "title": owner["title"],
            "type": ownership["type"],
            "contact": owner["contact"],
            "why": why,
            "from": _get_name(level),
            "source": ownership.get("source"),
        }
    )


def check_change(ask: Ask, asked: CheckArguments) -> Answer:
    report = ask(read_query("check"), {"change": _build_change(asked)})["blastRadius"]
    findings = sorted(report["findings"], key=lambda one: _SEVERITY.index(one["verdict"]))
    violations = [{"violates": one["policy"], **_select(one, "severity", "verdict", "text", "name", "new")} for one in report["violations"]]
    contents = [*map(_build_finding, findings), *violations]
    completeness = report["completeness"]
    rows, more = slice_rows(contents, asked.next, asked.limit, completeness["revision"])
    breaking = sum(one["verdict"] == "BREAKING" for one in findings)
    policies = f"{format_count(len(violations), 'violation')} of policies" if report["policiesChecked"] else "policies not evaluated"
    unlisted = [{"policy": one["policy"], "verdict": one["verdict"].lower(), "count": one["count"]} for one in report["hiddenViolations"]]
    sentence = (
        f"{_VERDICTS[report['verdict']]}. {format_count(len(findings), 'finding')} ({breaking} breaking),"
        f" {policies}, {format_count(len(report['notify']), 'recipient')} to notify."
    )
    facts: Content = _drop_empty(
        {
            "verdict": report["verdict"].lower(),
            "violationsYouMayNotSee": limit_list(unlisted),
            "notify": limit_list(
                _drop_empty({"name": one["name"], "why": one["why"], "assets": one["total"], "contacts": one["contacts"]})
                for one in report["notify"]
            ),
        }
    )
    because = [*list_reasons(completeness), *report["warnings"], *(gap for one in findings for gap in one["gaps"])]
    unknown = dict.fromkeys(name for one in findings for name in one["unknown"])
    because += [f"The graph does not know {shorten_text(name, SHOWN_NAME)!r}: what depends on it is unknown." for name in unknown]
    return Answer(sentence, facts, "findings", rows, len(contents), more, because, completeness["revision"])


_SEVERITY = ("BREAKING", "CONDITIONAL", "COMPATIBLE")


def _build_change(asked: CheckArguments) -> Content:
    """The change as ChangeInput of the schema. Raises InvalidInput for an argument that its form does not have."""
    for name, value, form in (("dialect", asked.dialect, "ddl"), ("dataset", asked.dataset, "schema")):
        if value is not None and asked.form != form:
            raise InvalidInput(f"accepted only with the form {form!r}, and the form is {asked.form!r}", name)
    if asked.form == "lines":
        lines = [line.strip() for line in asked.change.splitlines() if line.strip()]
        if not lines:
            raise InvalidInput("it has no line", "change")
        return {"words": list(lines)}
    if asked.form == "ddl":
        return {"ddl": {"text": asked.change, "dialect": asked.dialect}}
    if asked.form == "schema":
        return {"schema": {"after": asked.change, "dataset": asked.dataset}}
    return {asked.form: {"after": asked.change}}


def _build_finding(finding: Mapping[str, Any]) -> Content:
    hits = finding["hits"]
    return _drop_empty(
        {
            **_select(finding, "rule", "text", "reason", "safe", "subject"),
            "verdict": finding["verdict"].lower(),
            "part": ".".join(finding["part"]),
            "owners": limit_list(owner["name"] for owner in finding["owners"]),
            "affected": {_get_kind_name(one["kind"]): one["count"] for one in finding["affected"]},
            "consumers": len(hits),
            "consumersYouMayNotSee": finding["hiddenHits"] or None,
            "worstConsumers": [
                _drop_empty(
                    {
                        "name": hit["name"],
                        "verdict": hit["verdict"].lower(),
                        "reach": _lower(hit["reach"]),
                        "distance": hit["distance"],
                        "why": hit["why"],
                    }
                )
                for hit in sorted(hits, key=lambda hit: _SEVERITY.index(hit["verdict"]))[:SHOWN_HITS]
            ],
        }
    )


def list_changes(ask: Ask, asked: HistoryArguments) -> Answer:
    asset = resolve_asset(ask, asked.asset)
    if asset.kind not in ("DATASET", "COLUMN"):
        raise InvalidInput(f"{asset.quoted} is a {_get_kind_name(asset.kind)}; accepted are a dataset and a column", "asset")
    now = datetime.now(UTC)
    since = now - timedelta(days=HISTORY_DAYS) if asked.since is None else _parse_time(asked.since)
    if since >= now:
        raise InvalidInput("it is in the future", "since")
    upstream = ask(read_query("upstream"), {"id": asset.id, "first": EXAMINED})["provenance"]
    nearest = [one["node"]["id"] for one in upstream["assets"]["nodes"]]
    ids = list(dict.fromkeys([asset.dataset or asset.id, *nearest]))
    data = ask(
        read_query("history"), {"ids": ids, "from": since.isoformat(), "to": now.isoformat(), "limit": DIFFERENCES, "schemas": SCHEMAS}
    )
    difference, revision = data["lineageDiff"], data["about"]["revision"]
    examined = {node["id"]: node["qualifiedName"] for node in data["nodes"] if node is not None}
    contents = [
        *(_build_flow("flow added", one) for one in difference["added"] if _has_examined_end(examined, one)),
        *(_build_flow("flow removed", one) for one in difference["removed"] if _has_examined_end(examined, one)),
    ]
    for node in data["nodes"]:
        if node is not None and "schemas" in node:
            contents += _list_schema_changes(node, since)
            contents += _list_failures(node, since)
    contents.sort(key=lambda one: str(one["at"]), reverse=True)
    rows, more = slice_rows(contents, asked.next, asked.limit, revision)
    total = len(contents)
    because = [*list_reasons(upstream["completeness"]), *_list_unread_schemas(data["nodes"], since)]
    for what in ("added", "removed"):
        counted = difference[f"total{what.capitalize()}"]
        if counted > len(difference[what]):
            because.append(f"Only {len(difference[what])} of {counted} {what} flows at these datasets were read: name a later `since`.")
    if upstream["assets"]["totalCount"] > len(nearest):
        because.append(f"Only the nearest {len(nearest)} of {upstream['assets']['totalCount']} datasets upstream were examined.")
    upstream_count = format_count(len(ids) - 1, "dataset")
    sentence = f"{format_count(total, 'change')} of {asset.quoted} and of {upstream_count} upstream since {format_time(since)}"
    sentence += ", the newest first." if total else "."
    return Answer(sentence, {}, "changes", rows, total, more, because, revision)


def _parse_time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(f"found {text!r}; accepted is a date or time like 2026-03-07 or 2026-03-07T08:30Z", "since") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)


def _has_examined_end(examined: Mapping[str, str], flow: Mapping[str, Any]) -> bool:
    """Whether a flow ends in an examined dataset: what leaves them for elsewhere is no cause. Of an asset that is gone the name counts."""
    target = flow["to"]
    if target is None:
        return any(flow["toName"] == name or flow["toName"].startswith(f"{name}.") for name in examined.values())
    of = target.get("dataset")
    return target["id"] in examined or (of is not None and of["id"] in examined)


def _build_flow(what: str, flow: Mapping[str, Any]) -> Content:
    return _drop_empty(
        {
            "at": flow["observedAt"],
            "what": what,
            "from": flow["fromName"],
            "to": flow["toName"],
            "transformation": flow["subtype"],
            "job": flow["jobName"],
            "source": flow["source"],
        }
    )


def _list_unread_schemas(nodes: Iterable[Mapping[str, Any] | None], since: datetime) -> Iterator[str]:
    """A sentence for each dataset with lists of columns in that time that were not read."""
    for node in nodes:
        if node is not None and "schemas" in node:
            listed = node["schemas"]["nodes"]
            if node["schemas"]["totalCount"] > len(listed) and datetime.fromisoformat(listed[-1]["since"]) >= since:
                yield f"Only the newest {len(listed)} lists of columns of {shorten_text(node['qualifiedName'], SHOWN_NAME)!r} were read."


def _list_schema_changes(dataset: Mapping[str, Any], since: datetime) -> Iterator[Content]:
    """How the columns that each source lists have changed since then."""
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    newest = dataset["schemas"]["nodes"]
    whole = dataset["schemas"]["totalCount"] == len(newest)
    for listed in sorted(newest, key=lambda one: datetime.fromisoformat(one["since"])):
        by_source.setdefault(listed["source"], []).append(listed)
    for source, listings in by_source.items():
        before: dict[str, str | None] | None = None
        for listed in listings:
            columns = {column["name"]: column["dataType"] for column in listed["columns"]}
            if datetime.fromisoformat(listed["since"]) >= since and (whole or before is not None):  # else what it followed was not read
                yield _build_schema_change(dataset["qualifiedName"], source, listed["since"], before, columns)
            before = columns


def _build_schema_change(
    dataset: str, source: str, at: str, before: Mapping[str, str | None] | None, columns: Mapping[str, str | None]
) -> Content:
    if before is None:
        return {"at": at, "what": "columns first listed", "asset": dataset, "columns": len(columns), "source": source}
    return _drop_empty(
        {
            "at": at,
            "what": "columns changed",
            "asset": dataset,
            "added": limit_list(name for name in columns if name not in before),
            "removed": limit_list(name for name in before if name not in columns),
            "retyped": limit_list(
                f"{name}: {before[name]} to {type_}" for name, type_ in columns.items() if name in before and before[name] != type_
            ),
            "source": source,
        }
    )


def _list_failures(dataset: Mapping[str, Any], since: datetime) -> Iterator[Content]:
    """The checks that fail since a run in that time."""
    for check in dataset["quality"]:
        if check["failingSince"] is not None and datetime.fromisoformat(check["failingSince"]) >= since:
            name, message = check["asset"]["qualifiedName"], check["message"]
            yield _drop_empty(
                {"at": check["failingSince"], "what": "check fails", "asset": name, "check": check["name"], "message": message}
            )


def list_violations(ask: Ask, asked: ViolationsArguments) -> Answer:
    asset = None if asked.asset is None else resolve_asset(ask, asked.asset)
    domain = None if asked.domain is None else resolve_asset(ask, asked.domain, "DOMAIN")
    domains = set() if domain is None else _collect_domains(ask, domain.id)
    every: list[Mapping[str, Any]] = []
    after, revision, whole, restricted = None, 0, False, False
    for _ in range(VIOLATION_PAGES):
        data = ask(read_query("violations"), {"first": VIOLATIONS, "after": after})
        page, revision, restricted = data["policyViolations"], data["about"]["revision"], data["about"]["restricted"]
        every += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            whole = True
            break
    wanted = [one for one in every if (asset is None or _is_about(one, {asset.id})) and (domain is None or _is_about(one, domains))]
    contents = [_drop_empty({**_select(one, "policy", "text", "name"), "severity": one["severity"].lower()}) for one in wanted]
    rows, more = slice_rows(contents, asked.next, asked.limit, revision)
    of = "".join([f" of {asset.quoted}" if asset is not None else "", f" in {domain.quoted}" if domain is not None else ""])
    sentence = f"No policy is violated now{of}."
    if wanted:
        sentence = f"{format_count(len(wanted), 'violation')} of policies{of} now, the worst first."
    because = [] if whole else [f"Only the worst {len(every)} violations of the mesh were examined: there are more."]
    because += _RESTRICTED if restricted else []
    return Answer(sentence, {}, "violations", rows, len(contents), more, because, revision)


def request_access(ask: Ask, asked: RequestArguments) -> Answer:
    asset = resolve_asset(ask, asked.asset)
    until = datetime.now(UTC) + timedelta(days=asked.days)
    variables = {
        "asset": asset.id,
        "purpose": asked.purpose,
        "kind": asked.kind.upper(),
        "action": "read",
        "until": until.isoformat(),
    }
    found = ask(read_query("request_access"), variables)["requestAccess"]
    sentence = f"Access to {asset.quoted} is asked for. It is not granted yet: one of the approvers decides."
    facts = {**found, "state": found["state"].lower()}
    revision = ask(read_query("resolve"), {"name": asset.id})["about"]["revision"]
    return Answer(sentence, facts, "rows", [], 0, more=False, because=[], revision=revision)


def _is_about(violation: Mapping[str, Any], ids: set[str]) -> bool:
    """Whether a violation is about one of these assets, or about something within it."""
    asset = violation["asset"]
    if asset is None:
        return False
    parts = (asset, asset.get("dataset"), asset["product"], asset["domain"])
    return any(part is not None and part["id"] in ids for part in parts)


def _collect_domains(ask: Ask, domain: str) -> set[str]:
    """A domain and all below it."""
    found: set[str] = set()
    new = [domain]
    while new:
        found.update(new)
        nodes = ask(read_query("subdomains"), {"ids": new})["nodes"]
        new = [one["id"] for node in nodes if node is not None for one in node.get("subdomains", ()) if one["id"] not in found]
    return found


def _get_kinds(kinds: Iterable[str] | None) -> list[Json] | None:
    """Kinds by their names in the schema; None for all."""
    found: list[Json] = ["DATA_PRODUCT" if kind == "product" else kind.upper() for kind in kinds or ()]
    return found or None


def _get_kind_name(kind: str) -> str:
    return kind.lower().removeprefix("data_")


def _get_name(asset: Mapping[str, Any] | None) -> str | None:
    return None if asset is None else str(asset.get("qualifiedName") or asset["name"])


def _name_asset(asset: Mapping[str, Any]) -> Content:
    return {"id": asset["id"], "kind": _get_kind_name(asset["kind"]), "name": asset["qualifiedName"]}


def _list_owner_names(asset: Mapping[str, Any]) -> list[Json]:
    return limit_list(dict.fromkeys(one["owner"]["name"] for one in asset["owners"]), 5)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _select(values: Mapping[str, Any], *names: str) -> Content:
    return {name: values[name] for name in names}


def _drop_empty(values: Mapping[str, Any]) -> Content:
    """Without what is not known: null, and empty texts and lists."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}


class Tool(NamedTuple):
    """A tool: its text for the model, the type of its arguments, and its function."""

    name: str
    title: str
    description: str
    arguments: type[msgspec.Struct]
    run: Callable[[Ask, Any], Answer]


TOOLS = (
    Tool(
        "find",
        "Find assets",
        "Find tables, columns, products, jobs, dashboards, owners by words. Each hit states why it matches.",
        FindArguments,
        find_assets,
    ),
    Tool(
        "describe",
        "Describe an asset",
        "What an asset is: columns or parts, domain, product, owners, contracts, quality, last write, tags, who uses it.",
        DescribeArguments,
        describe_asset,
    ),
    Tool(
        "impact",
        "What breaks if it changes",
        "Everything that depends on an asset, the surest and nearest first, counted by owner, domain and kind over all, with who to notify."
        " Ask `check` whether a given change may ship.",
        ImpactArguments,
        compute_impact,
    ),
    Tool(
        "trace",
        "Where it comes from",
        "Where the values of an asset come from: the sources, and each step with its job, transformation and code.",
        TraceArguments,
        trace_asset,
    ),
    Tool(
        "paths",
        "Paths between two assets",
        "How data flows from one asset to another, or that no path is known.",
        PathsArguments,
        list_paths,
    ),
    Tool("owners", "Owners", "Who owns up to 50 assets, why, and how to reach them.", OwnersArguments, list_owners),
    Tool(
        "check",
        "May this ship?",
        "Whether a change may ship: findings by rule with the consumers that break, policies that it violates, and who to notify."
        " Changes nothing.",
        CheckArguments,
        check_change,
    ),
    Tool(
        "history",
        "What changed",
        "What changed at a dataset or column, or upstream of it: columns, flows, checks that began to fail.",
        HistoryArguments,
        list_changes,
    ),
    Tool(
        "violations",
        "Violated policies",
        "The policies that are violated now, all or those of an asset or domain.",
        ViolationsArguments,
        list_violations,
    ),
)
REQUEST_ACCESS = Tool(  # the only one that changes something: not for all callers
    "request_access",
    "Ask for access",
    "Ask for access to a domain, product or dataset, if the user wants it: a person decides.",
    RequestArguments,
    request_access,
)
BY_NAME = {tool.name: tool for tool in TOOLS}


def build_schema(tool: Tool) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments."""
    _, components = msgspec.json.schema_components([tool.arguments])
    schema = dict(components[tool.arguments.__name__])
    return {key: value for key, value in schema.items() if key not in ("title", "description")}


def parse_arguments(tool: Tool, given: Mapping[str, Any] | None) -> msgspec.Struct:
    """The arguments of a call. Raises InvalidInput that names what is accepted."""
    try:
        return msgspec.convert(dict(given or {}), tool.arguments)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at ")
        where = place.strip("`").removeprefix("$").lstrip(".") or tool.name
        raise InvalidInput(
            f"{problem.replace('Object contains', 'there is an')}; accepted are {_describe_arguments(tool)}", where
        ) from None


def _describe_arguments(tool: Tool) -> str:
    schema = build_schema(tool)
    required = schema.get("required", [])
    return ", ".join(
        f"{name} ({'required, ' if name in required else ''}{_describe_type(property_)})"
        for name, property_ in schema["properties"].items()
    )


def _describe_type(property_: Mapping[str, Any]) -> str:
    options = [one for one in property_.get("anyOf", [property_]) if one.get("type") != "null"]
    one = options[0]
    if "enum" in one:
        return " | ".join(one["enum"])
    if one["type"] == "integer":
        return f"integer, {one['minimum']} to {one['maximum']}"
    if one["type"] == "array":
        return f"list of at most {one['maxItems']} of {_describe_type(one['items'])}"
    return f"text of at most {one['maxLength']} characters"
