"""Which columns of a table come out at its topic, under which name, and whether masked."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from meshline.ingest.sources.debezium.configs import Config
from meshline.ingest.sources.debezium.regexes import Matcher, compiled, listed
from meshline.ingest.sources.debezium.tables import filters
from meshline.ingest.sources.debezium.topics import Record

# The keys of hashes hold a salt: they are in no message and no statement.
_MASK = re.compile(r"column\.mask\.(with\.\d+\.chars|hash\..+)")
_TRUNCATE = re.compile(r"column\.truncate\.to\.\d+\.chars")


_ROWS = ("after", "before")  # of the envelope


class Passed(NamedTuple):
    """A column of the table as a field of the record. `changed`: it is not the column's value as it was."""

    column: str
    field: str
    changed: bool
    masked: bool


class Columns:
    """The lists of columns of one connector."""

    def __init__(self, config: Config, matcher: Matcher) -> None:
        """Raises InvalidInput."""
        self._matcher = matcher
        self._filters = list(filters(config, "column")) or list(filters(config, "field"))
        self._masks = list(_patterns(config, _MASK, "column.mask"))
        self._cuts = list(_patterns(config, _TRUNCATE, "column.truncate"))

    def passed(self, table_names: Sequence[str], columns: Sequence[str], record: Record) -> Iterator[Passed]:
        """What becomes of these columns of a table that has these names."""
        for column in columns:
            names = [f"{table}.{column}" for table in table_names]
            if not all(one.takes(names, self._matcher) for one in self._filters):
                continue
            masked = self._any(self._masks, names)
            passed = _transformed(Passed(column, column, masked or self._any(self._cuts, names), masked), record)
            if passed is not None:
                yield passed

    def _any(self, patterns: Sequence[re.Pattern[str]], names: Sequence[str]) -> bool:
        return any(self._matcher.matches(pattern, name) for pattern in patterns for name in names)


def in_envelope(passed: Sequence[Passed], known: Container[str]) -> list[Passed]:
    """The fields where Debezium's envelope has them, the row after and before the change; as they are if the topic is not known so."""
    found: list[Passed] = []
    for one in passed:
        inside = [field for row in _ROWS if (field := f"{row}.{one.field}") in known]
        found += [one._replace(field=field) for field in inside or [one.field]]
    return found


def _patterns(config: Config, keys: re.Pattern[str], shown: str) -> Iterator[re.Pattern[str]]:
    for key, text in config.values.items():
        if keys.fullmatch(key):
            yield from (compiled(part, f"{config.places.get(key, config.place)}: {shown}") for part in listed(text))


def _transformed(passed: Passed, record: Record) -> Passed | None:
    """None if the field is taken out."""
    for change in record.columns:
        field = passed.field.partition(".")[0]
        if field in change.exclude or (change.include and field not in change.include):
            return None
        if field in change.masked:
            passed = passed._replace(changed=True, masked=True)
        passed = passed._replace(field=change.renames.get(field, field) + passed.field[len(field) :])
    return passed
