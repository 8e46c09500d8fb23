"""Recorded OpenLineage events, made fit to be committed: stable paths, hosts and days, nothing else changed. Standard library only."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

Event = dict[str, Any]

TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)"')
MILLIS = re.compile(r"(?<![\w.\-])1[6-9]\d{11}(?![\w.])")
ID = re.compile(r"(?<![\w-])[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}(?![\w-])")  # of a run, or a job of Flink
NIGHT_BEGINS = "T02:00:00"


class Stretch(NamedTuple):
    """A time in which something was recorded, and by how much its clock readings are moved."""

    begun: datetime
    ended: datetime
    shift: timedelta

    @classmethod
    def from_recording(cls, begun: datetime, ended: datetime, night: str) -> Stretch:
        """As if what began then had begun in the night `night` (a date)."""
        begins = datetime.fromisoformat(night + NIGHT_BEGINS).replace(tzinfo=UTC)
        return cls(begun, ended, begins - begun.replace(microsecond=0))


def rewrite_text(text: str, stretches: Sequence[Stretch], replacements: Mapping[str, str]) -> str:
    """A text of JSON with its places replaced and its clock readings moved: ISO 8601 times, and numbers that are
    milliseconds since the epoch. What lies in no stretch is data and stays.
    """
    for found in sorted(replacements, key=len, reverse=True):
        text = text.replace(found, replacements[found])

    def shift(time: datetime) -> timedelta | None:
        return next((one.shift for one in stretches if one.begun <= time <= one.ended), None)

    def move_iso(match: re.Match[str]) -> str:
        by = shift(at := datetime.fromisoformat(match[1]).replace(tzinfo=UTC))
        return match[0] if by is None else f'"{(at + by).strftime("%Y-%m-%dT%H:%M:%S")}{match[2] or ""}{match[3]}"'

    def move_millis(match: re.Match[str]) -> str:
        by = shift(datetime.fromtimestamp(int(match[0]) / 1000, UTC))
        return match[0] if by is None else str(int(match[0]) + by // timedelta(milliseconds=1))

    return MILLIS.sub(move_millis, TIME.sub(move_iso, text))


def normalise_events(lines: Iterable[str], stretch: Stretch, replacements: Mapping[str, str]) -> list[Event]:
    """The events of one night, oldest first, as if the night had been another and the places those of the replacements."""
    text = rewrite_text("\n".join(sorted(line.strip() for line in lines if line.strip())), [stretch], replacements)
    return sorted((json.loads(line) for line in text.splitlines()), key=parse_time)


def parse_time(event: Event) -> datetime:
    """Python before 3.11 reads no `Z` and no fraction of another length than 3 or 6 digits."""
    match = TIME.fullmatch(json.dumps(event["eventTime"]))
    if match is None:
        raise ValueError(f"unexpected eventTime: {event['eventTime']}")
    fraction = (match[2] or ".0")[1:].ljust(6, "0")[:6]
    return datetime.fromisoformat(f"{match[1]}.{fraction}").replace(tzinfo=UTC)


def number_ids(events: Sequence[Event]) -> list[Event]:
    """With ids that depend only on the names and the times of what has them: those of runs by job and time, then all others."""
    runs = sorted(
        (event for event in events if "run" in event),
        key=lambda event: (event["job"]["namespace"], event["job"]["name"], parse_time(event)),
    )
    text = format_ndjson(events)
    numbers: dict[str, int] = {}
    for found in [*(event["run"]["runId"] for event in runs), *(match[0] for match in ID.finditer(text))]:
        numbers.setdefault(found.replace("-", ""), len(numbers) + 1)

    def number(match: re.Match[str]) -> str:
        plain = f"019cc8f4000070008000{numbers[match[0].replace('-', '')]:012d}"
        return str(uuid.UUID(plain)) if "-" in match[0] else plain

    return [json.loads(line) for line in ID.sub(number, text).splitlines()]


def drop_running(events: Iterable[Event], keep: frozenset[str]) -> list[Event]:
    """Without RUNNING events, which Spark repeats for every stage; of the applications in `keep`, the first of each run stays."""
    kept: list[Event] = []
    seen: set[tuple[str, str]] = set()
    for event in events:
        if event.get("eventType") == "RUNNING":
            run = event["run"]["runId"], event["job"]["name"]
            if event["job"]["name"].split(".")[0] not in keep or run in seen:
                continue
            seen.add(run)
        kept.append(event)
    return kept


def shuffle_events(events: Iterable[Event], late_job: str) -> list[Event]:
    """In a random but repeatable order; the oldest COMPLETE of `late_job` comes last of all, long after newer ones of the same job."""
    order = sorted(events, key=parse_time)
    late = next(e for e in order if e.get("eventType") == "COMPLETE" and e["job"]["name"] == late_job)
    rest = [e for e in order if e is not late]
    random.Random(20260301).shuffle(rest)
    return [*rest, late]


def format_ndjson(events: Iterable[Event]) -> str:
    return "".join(json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n" for event in events)


def thin_manifest(text: str) -> str:
    """A manifest of dbt without macros, which are dbt's own code and nine tenths of it."""
    return thin_metadata(json.dumps({**json.loads(text), "macros": {}}))


def thin_metadata(text: str) -> str:
    """An artifact of dbt without what names the machine and the run, in lines and sorted."""
    artifact = json.loads(text)
    unnamed = {name: None for name in ("user_id", "invocation_id") if name in artifact["metadata"]}
    artifact["metadata"] |= unnamed
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"
