"""The arguments that the tools of agents accept: `tools` makes their JSON Schema of these types."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

KindName = Literal["domain", "product", "dataset", "column", "job", "consumer", "owner", "contract"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, description="id, name, dataset.column, or a unique end of a name")]
Kinds = Annotated[list[KindName], msgspec.Meta(max_length=8, description="only these kinds")]
Rows = Annotated[int, msgspec.Meta(ge=1, le=100, description="rows at most")]
Next = Annotated[str, msgspec.Meta(max_length=20_000, description="`page.next` of the page before")]
MAX_PATHS = 20


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
