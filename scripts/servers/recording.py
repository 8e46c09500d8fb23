"""Recorded OpenLineage events, made fit to be committed: stable paths, hosts and days, nothing else changed. Standard library only."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Event = dict[str, Any]

TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)"')
NIGHT_BEGINS = "T02:00:00"
MARGIN = timedelta(hours=1)  # around a night's events: other times in the text are data, not clock readings


def normalised(lines: Iterable[str], night: str, replacements: Mapping[str, str]) -> list[Event]:
    """The events of one night, oldest first, as if the night had been `night` (a date) and the places those of the replacements."""
    text = "\n".join(sorted(line.strip() for line in lines if line.strip()))
    for found in sorted(replacements, key=len, reverse=True):
        text = text.replace(found, replacements[found])
    recorded = [when(json.loads(line)) for line in text.splitlines()]
    begun, ended = min(recorded), max(recorded)
    shift = datetime.fromisoformat(night + NIGHT_BEGINS).replace(tzinfo=UTC) - begun.replace(microsecond=0)

    def moved(match: re.Match[str]) -> str:
        time = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
        if not begun - MARGIN <= time <= ended + MARGIN:
            return match[0]
        return f'"{(time + shift).strftime("%Y-%m-%dT%H:%M:%S")}{match[2] or ""}{match[3]}"'

    return sorted((json.loads(line) for line in TIME.sub(moved, text).splitlines()), key=when)


def when(event: Event) -> datetime:
    """Python before 3.11 reads no `Z` and no fraction of another length than 3 or 6 digits."""
    match = TIME.fullmatch(json.dumps(event["eventTime"]))
    if match is None:
        raise ValueError(f"unexpected eventTime: {event['eventTime']}")
    fraction = (match[2] or ".0")[1:].ljust(6, "0")[:6]
    return datetime.fromisoformat(f"{match[1]}.{fraction}").replace(tzinfo=UTC)


def thinned(events: Iterable[Event], keep: frozenset[str]) -> list[Event]:
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


def shuffled(events: Iterable[Event], late_job: str) -> list[Event]:
    """In a random but repeatable order; the oldest COMPLETE of `late_job` comes last of all, long after newer ones of the same job."""
    order = sorted(events, key=when)
    late = next(e for e in order if e.get("eventType") == "COMPLETE" and e["job"]["name"] == late_job)
    rest = [e for e in order if e is not late]
    random.Random(20260301).shuffle(rest)
    return [*rest, late]


def ndjson(events: Iterable[Event]) -> str:
    return "".join(json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n" for event in events)
