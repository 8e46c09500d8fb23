"""Questions of agents about rules: which policies are violated; and to be granted access."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from meshline.app.agents.answers import Answer, slice_rows
from meshline.app.agents.tool_arguments import RequestArguments, ViolationsArguments
from meshline.app.agents.tool_assets import RESTRICTED, Ask, drop_empty, read_query, resolve_asset, select
from meshline.words import format_count

VIOLATIONS, VIOLATION_PAGES = 500, 20  # of a page, and pages: all that a list filters


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
    contents = [drop_empty({**select(one, "policy", "text", "name"), "severity": one["severity"].lower()}) for one in wanted]
    rows, more = slice_rows(contents, asked.next, asked.limit, revision)
    of = "".join([f" of {asset.quoted}" if asset is not None else "", f" in {domain.quoted}" if domain is not None else ""])
    sentence = f"No policy is violated now{of}."
    if wanted:
        sentence = f"{format_count(len(wanted), 'violation')} of policies{of} now, the worst first."
    because = [] if whole else [f"Only the worst {len(every)} violations of the mesh were examined: there are more."]
    because += RESTRICTED if restricted else []
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
