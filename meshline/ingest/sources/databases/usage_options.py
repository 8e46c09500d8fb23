"""The key `usage` of databases: whether and how the statements of a query history that only read become usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from meshline.ingest.sources.usage.readers import MOST_READERS, PATTERNS, Patterns


class UsageOptions(BaseModel):
    """How the reads of a query history become usage."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    readers: Patterns = PATTERNS
    most_readers: int = MOST_READERS
    complete: bool = Field(
        default=False,
        description="Whether the history has every read between its first and its last one, so that the gate may rely on a table not being"
        " read.",
    )
    days: int = Field(default=400, ge=1, le=3650, description="For how many days reads are kept that are no longer in the history.")


def _read_choice(value: object) -> object:
    if value is True or value is False:
        return {} if value else None
    if value is None or isinstance(value, UsageOptions | Mapping):
        return value
    raise PydanticCustomError(
        "usage", "accepted is true, false or a mapping with the keys {keys}", {"keys": ", ".join(UsageOptions.model_fields)}
    )


UsageChoice: TypeAlias = Annotated[
    UsageOptions | None,
    BeforeValidator(_read_choice, json_schema_input_type=UsageOptions | bool | None),
    Field(description="Whether the statements that only read are usage: true, or {readers, most_readers, complete, days}; by default not."),
]
