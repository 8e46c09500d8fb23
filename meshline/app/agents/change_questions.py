"""Questions of agents about changes: whether one may ship, and what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from meshline.app.agents.answers import Answer, limit_list, list_reasons, slice_rows
from meshline.app.agents.tool_arguments import CheckArguments, HistoryArguments
from meshline.app.agents.tool_assets import SHOWN_NAME, Ask, Content, drop_empty, get_kind_name, lower, read_query, resolve_asset, select
from meshline.errors import InvalidInput
from meshline.words import format_count, format_time, shorten_text

EXAMINED = 50  # upstream datasets of a history
DIFFERENCES = 1_000
SCHEMAS = 100  # lists of columns of each dataset of a history, the newest
HISTORY_DAYS = 30
SHOWN_HITS = 5  # consumers of a finding
_VERDICTS = {
    "BREAKING": "No, this may not ship: it breaks consumers or a rule",
    "CONDITIONAL": "Only under the conditions of the findings may this ship",
    "COMPATIBLE": "Yes, this may ship: no rule finds a break",
}


def check_change(ask: Ask, asked: CheckArguments) -> Answer:
    report = ask(read_query("check"), {"change": _build_change(asked)})["blastRadius"]
    findings = sorted(report["findings"], key=lambda one: _SEVERITY.index(one["verdict"]))
    violations = [{"violates": one["policy"], **select(one, "severity", "verdict", "text", "name", "new")} for one in report["violations"]]
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
    facts: Content = drop_empty(
        {
            "verdict": report["verdict"].lower(),
            "violationsYouMayNotSee": limit_list(unlisted),
            "notify": limit_list(
                drop_empty({"name": one["name"], "why": one["why"], "assets": one["total"], "contacts": one["contacts"]})
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
    return drop_empty(
        {
            **select(finding, "rule", "text", "reason", "safe", "subject"),
            "verdict": finding["verdict"].lower(),
            "part": ".".join(finding["part"]),
            "owners": limit_list(owner["name"] for owner in finding["owners"]),
            "affected": {get_kind_name(one["kind"]): one["count"] for one in finding["affected"]},
            "consumers": len(hits),
            "consumersYouMayNotSee": finding["hiddenHits"] or None,
            "worstConsumers": [
                drop_empty(
                    {
                        "name": hit["name"],
                        "verdict": hit["verdict"].lower(),
                        "reach": lower(hit["reach"]),
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
        raise InvalidInput(f"{asset.quoted} is a {get_kind_name(asset.kind)}; accepted are a dataset and a column", "asset")
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
    return drop_empty(
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
    return drop_empty(
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
            yield drop_empty(
                {"at": check["failingSince"], "what": "check fails", "asset": name, "check": check["name"], "message": message}
            )
