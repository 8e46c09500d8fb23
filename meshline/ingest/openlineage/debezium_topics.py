"""The topic of a table in Debezium's events, and the columns in its messages: `amount` is `after.amount`.

An event names the columns of the table, another one the fields of the topic. What lies between them is Debezium's envelope, whose `before`
and `after` have the row (https://debezium.io/documentation/reference/stable/connectors/postgresql.html, "Change event values"), unless the
connector's config changes rows on their way. The config is in the events, too: where it may change values or names, nothing is concluded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

FACET = "debezium_config"  # the run facet with the config
_ROWS = ("before", "after")
_NEUTRAL = frozenset({"io.debezium.transforms.openlineage.OpenLineage"})  # transforms that change no record
_NO_TOPIC = re.compile(r"[^A-Za-z0-9._-]")  # what Debezium replaces in the names of topics
_CHANGES = ("column.mask.", "column.truncate.")  # beginnings of keys that change values


class RowFields(NamedTuple):
    """(column of the table, field of its topic), in order. `complete`: every column and every field of a row has its counterpart."""

    pairs: tuple[tuple[str, str], ...]
    complete: bool


class _Config(msgspec.Struct):
    configs: list[str]


def is_neutral(facet: bytes) -> bool:
    """Whether a connector writes rows as they are. `facet`: its config in the events."""
    try:
        given = msgspec.json.decode(facet, type=_Config).configs
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    values = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in given)}
    names = [name.strip() for name in values.get("transforms", "").split(",") if name.strip()]
    neutral = all(values.get(f"transforms.{name}.type") in _NEUTRAL for name in names)
    return neutral and not any(key.startswith(_CHANGES) for key in values)


def match_rows(columns: Sequence[str], fields: Sequence[str]) -> RowFields:
    """`columns`: of the table. `fields`: of the topic, nested ones as dotted paths."""
    named = {column.casefold(): column for column in columns}
    pairs: list[tuple[str, str]] = []
    complete = True
    for row in _ROWS:
        inside = [field for field in fields if field.startswith(f"{row}.")]
        found = [(named.get(field.split(".")[1].casefold()), field) for field in inside]
        pairs += [(column, field) for column, field in found if column is not None]
        complete = complete and {column for column, _ in found} == set(columns)
    return RowFields(tuple(pairs), complete and bool(pairs))


def list_output_ends(table: str) -> tuple[str, str]:
    """The possible ends of the topic into which Debezium writes a table: `<prefix>.<schema>.<table>` for `<database>.<schema>.<table>`."""
    name = _NO_TOPIC.sub("_", table)
    return name, name.partition(".")[2] or name


def list_topic_ends(topic: str) -> Iterator[str]:
    """The ends of a topic's name: what follows each dot."""
    at = topic.find(".")
    while at >= 0:
        yield topic[at + 1 :]
        at = topic.find(".", at + 1)
