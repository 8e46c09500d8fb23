"""Every setting, in one table. The only module that reads the environment (`MESHLINE_<NAME>`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from meshline.errors import InvalidInput

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """What one process needs to know. Values come from arguments, then from the environment, then from here."""

    model_config = SettingsConfigDict(env_prefix="MESHLINE_", frozen=True, extra="forbid")

    store: str = Field(
        default="sqlite:///meshline.db",
        description="Where the graph is kept: `sqlite:///file.db`, `sqlite://:memory:` or `neo4j://user:password@host`.",
    )
    host: str = Field(
        default="127.0.0.1", description="Address to listen on. There is no authentication: open it to a trusted network only."
    )
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    source: str = Field(
        default="openlineage/default", min_length=1, description="Name of the source that OpenLineage events over HTTP belong to."
    )
    mesh: Path | None = Field(
        default=None, description="A mesh file (domains, products, owners, consumers; naming and precedence rules) to load at start."
    )
    raw_retention_days: int = Field(default=30, ge=0, description="Events are kept as they came, for replay, for this many days.")
    queue_size: int = Field(default=10_000, ge=1, description="Events that may wait to be written; more are answered 503 with Retry-After.")
    queue_bytes: int = Field(default=256 * MEBIBYTE, ge=1, description="Bytes of events that may wait to be written.")
    max_body_bytes: int = Field(default=32 * MEBIBYTE, ge=1024, description="Largest request body, after decompression.")
    refresh_seconds: float = Field(default=1.0, gt=0, description="How often to look for what other processes wrote to the same store.")
    query_seconds: float = Field(default=10.0, gt=0, description="Longest time for one GraphQL request.")
    query_nodes: int = Field(
        default=2_000_000, ge=1, description="Most columns and datasets that one traversal visits; an answer says when it stopped there."
    )
    query_objects: int = Field(default=50_000, ge=1, description="Most objects that one GraphQL answer may hold.")
    query_depth: int = Field(default=20, ge=1, description="Deepest nesting of a GraphQL request.")
    query_aliases: int = Field(default=100, ge=0, description="Most aliases in a GraphQL request.")
    query_tokens: int = Field(default=4_000, ge=1, description="Longest GraphQL request, in tokens.")
    page_size: int = Field(default=1_000, ge=1, description="Largest page (`first`) of a connection.")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error|critical)$", description="How much to log.")


def load(**given: object) -> Settings:
    """Settings from arguments (those that are not None) and the environment. Raises InvalidInput that names the setting."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise InvalidInput(str(first["msg"]), f"MESHLINE_{name.upper()}") from error


class Documented(NamedTuple):
    """One row of the table of settings."""

    variable: str
    default: str
    meaning: str


def table() -> Iterator[Documented]:
    """The settings for the documentation, in order."""
    for name, field in Settings.model_fields.items():
        yield Documented(f"MESHLINE_{name.upper()}", str(field.default), str(field.description))


def settings_page() -> str:
    """`docs/settings.md`."""
    rows = [f"| `{row.variable}` | {_shown(row.default)} | {row.meaning} |" for row in table()]
    return "\n".join(
        [
            "# Settings",
            "",
            "Made from the code by `scripts/make-docs`. Options of the command line win over the environment, that over the defaults.",
            "",
            "| variable | default | meaning |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _shown(default: str) -> str:
    return "" if default in {"None", ""} else f"`{default}`"
