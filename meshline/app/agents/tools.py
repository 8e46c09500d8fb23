"""The tools of the MCP server: a question of an agent each, with its text for the model, its arguments and the function that answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from meshline.app.agents.answers import Answer
from meshline.app.agents.asset_questions import describe_asset, find_assets
from meshline.app.agents.change_questions import check_change, list_changes
from meshline.app.agents.lineage_questions import compute_impact, list_owners, list_paths, trace_asset
from meshline.app.agents.rule_questions import list_violations, request_access
from meshline.app.agents.tool_arguments import (
    CheckArguments,
    DescribeArguments,
    FindArguments,
    HistoryArguments,
    ImpactArguments,
    OwnersArguments,
    PathsArguments,
    RequestArguments,
    TraceArguments,
    ViolationsArguments,
)
from meshline.app.agents.tool_assets import Ask
from meshline.errors import InvalidInput


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
