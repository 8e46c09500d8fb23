"""Reads the log of a Delta table: the versions at which its metadata changed, with their times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from meshline.errors import InvalidInput
from meshline.graph.model import get_current_micros
from meshline.ingest.sources.delta.parse import Column, parse_columns

MAX_COMMITS = 10_000  # the newest commits of a table's history that are listed

# Operations that do not change columns and properties. The log's history does not show whether other operations changed them.
_DATA_ONLY = frozenset({"DELETE", "UPDATE", "OPTIMIZE", "VACUUM START", "VACUUM END", "FSCK", "REORG"})

_WRITES = frozenset({
    "WRITE", "STREAMING UPDATE", "MERGE", "UPDATE", "DELETE", "TRUNCATE", "COPY INTO", "RESTORE", "CLONE", "CONVERT",
    "CREATE TABLE AS SELECT", "REPLACE TABLE AS SELECT", "CREATE OR REPLACE TABLE AS SELECT",
})  # fmt: skip

# By default, a storage that does not answer is given up after seconds, not minutes; `storage_options` may set other limits.
_TIMEOUTS = {"timeout": "30s", "connect_timeout": "5s", "max_retries": "3", "retry_timeout": "30s"}

_COLOUR = re.compile(r"\x1b\[[0-9;]*m|↳")
_SPACE = re.compile(r"\s+")
_LONGEST = 300  # characters of another library's message


class Version(NamedTuple):
    """The state of a table from one commit on. `time`: of the commit, in microseconds since the epoch; None if the log has none."""

    number: int
    time: int | None
    table_id: str
    name: str
    description: str
    partition_columns: tuple[str, ...]
    properties: Mapping[str, str]
    columns: tuple[Column, ...]

    def get_state(self) -> tuple[object, ...]:
        """Everything but the version's number and time."""
        return self[2:]


class Write(NamedTuple):
    """A version that wrote data. `time`: in microseconds since the epoch."""

    version: int
    time: int
    operation: str


class History(NamedTuple):
    """The versions whose state differs from the version before, oldest first. `unseen`: the number of older versions that were
    not read. `newest_write`: the newest version that wrote data; None if it is not among those that were read.
    """

    versions: tuple[Version, ...]
    unseen: int
    newest_write: Write | None


def open_table(location: str, options: Mapping[str, str]) -> DeltaTable:
    """Open a table. Raises InvalidInput that names the location, and no value of an option."""
    remote = "://" in location
    with _translate_errors(location, options):
        return DeltaTable(location, storage_options={**_TIMEOUTS, **options} if remote else dict(options) or None)


def read_history(table: DeltaTable, location: str, options: Mapping[str, str], limit: int, since: int | None = None) -> History:
    """The states of a table in the newest `limit` commits that may have changed it, from version `since` on, inclusive.

    Leaves the table at its newest version. Raises InvalidInput.
    """
    with _translate_errors(location, options):
        newest = table.version()
        commits = table.history(MAX_COMMITS if since is None else min(newest - since + 1, MAX_COMMITS))
        times = _compute_times(commits)
        ends = (newest, commits[-1]["version"])
        may = [commit["version"] for commit in commits if commit["version"] in ends or commit.get("operation") not in _DATA_ONLY]
        states = list(_read_versions(table, sorted(sorted(may)[-limit:]), times))
        table.load_as_version(newest)
    versions = [state for at, state in enumerate(states) if at == 0 or state.get_state() != states[at - 1].get_state()]
    return History(tuple(versions), states[0].number - (since or 0), _find_newest_write(commits, times))


def _find_newest_write(commits: Sequence[Mapping[str, Any]], times: Mapping[int, int]) -> Write | None:
    wrote = [commit for commit in commits if commit.get("operation") in _WRITES and commit["version"] in times]
    newest = max((int(commit["version"]) for commit in wrote), default=None)
    operation = next((str(commit["operation"]) for commit in wrote if commit["version"] == newest), "")
    return None if newest is None else Write(newest, times[newest], operation)


def _read_versions(table: DeltaTable, numbers: Sequence[int], times: Mapping[int, int]) -> Iterator[Version]:
    """The table at these versions; versions that can no longer be built from the log are left out."""
    for number in numbers:
        try:
            table.load_as_version(number)
        except DeltaError:
            if number == numbers[-1]:
                raise
            continue
        yield _read_version(table, number, times.get(number))


def _read_version(table: DeltaTable, number: int, time: int | None) -> Version:
    about = table.metadata()
    return Version(
        number,
        time,
        str(about.id),
        about.name or "",
        about.description or "",
        tuple(about.partition_columns),
        {key: value or "" for key, value in sorted(about.configuration.items())},
        parse_columns(json.loads(table.schema().to_json())),
    )


def _compute_times(commits: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Times of versions in microseconds, each after that of the version before (as Delta itself adjusts them), none in the future."""
    times: dict[int, int] = {}
    last, latest = 0, get_current_micros()
    for commit in sorted(commits, key=lambda commit: int(commit["version"])):
        if isinstance(commit.get("timestamp"), int):
            last = times[commit["version"]] = min(max(commit["timestamp"] * 1000, last + 1), latest)
    return times


@contextmanager
def _translate_errors(location: str, options: Mapping[str, str]) -> Iterator[None]:
    """Translates deltalake's errors into InvalidInput with one sentence and without secrets."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(str(error), location) from error
    except TableNotFoundError:
        raise InvalidInput("this is not a Delta table; accepted is a folder with a _delta_log", location) from None
    except (DeltaError, OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"the Delta table cannot be read: {_clean_message(str(error), options)}", location) from None


def _clean_message(text: str, options: Mapping[str, str]) -> str:
    for value in options.values():
        if len(value) > 3:
            text = text.replace(value, "***")
    text = _SPACE.sub(" ", _COLOUR.sub("", text)).strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
