"""What runs of real producers have in common: a meshline that they send events to, and their settings as in docs/openlineage.md.

with producers.serve(home) as meshline:
    settings = producers.read_settings("Flink 2", {producers.MESHLINE: meshline.url})
    ...
    meshline.read_events()    # as they were sent, oldest first
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import process
import recording
from recording import Event

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "openlineage.md"
MESHLINE, BROKER, TOPIC, FILE = (
    "http://meshline:8080",
    "kafka:9092",
    "openlineage.events",
    "/var/log/openlineage/events.ndjson",
)  # in the docs
RECORDINGS = ROOT / "tests" / "ingest" / "producers"
NIGHT = "2026-03-08"  # in which the recordings seem to have been made


@dataclass(frozen=True)
class Meshline:
    """A server of this checkout. `url`: for producers."""

    url: str
    store: str
    process: subprocess.Popen[bytes]
    log: Path

    def read_events(self) -> list[Event]:
        """The events that have arrived so far, as they were sent."""
        file = self.log.with_name("events.ndjson")
        _run_meshline("export", "openlineage", "--store", self.store, "--output", str(file))
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    def wait_for_events(self, complete: Callable[[list[Event]], bool], seconds: float = process.PATIENCE) -> list[Event]:
        """The events once they are complete. Raises ServerError if they are not in time."""
        end = time.monotonic() + seconds
        while not complete(events := self.read_events()):
            if time.monotonic() > end:
                have = "\n".join(sorted({f"{event.get('eventType')} {event['job']['name']}" for event in events}))
                raise process.ServerError(f"after {seconds:g} s some events are missing; these have arrived:\n{have}")
            time.sleep(2)
        return events


def has_ended(events: Sequence[Event]) -> bool:
    """Whether the end of each run has arrived."""
    ended = {event["run"]["runId"] for event in events if event["eventType"] in {"COMPLETE", "FAIL", "ABORT"}}
    return all(event["run"]["runId"] in ended for event in events)


def _run_meshline(*arguments: str) -> None:
    command = Path(sys.executable).with_name("meshline")
    done = subprocess.run([str(command), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise process.ServerError(f"meshline {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")


def start(home: Path, *options: str) -> Meshline:
    """Start a meshline with an empty store in `home`; return once it takes events."""
    log, store = home / "meshline.log", f"sqlite:///{home / 'meshline.db'}"
    port = process.find_free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("meshline")), "serve", "--port", str(port), "--store", store, *options]
    started = process.start(command, log)
    process.wait_until_ready(started, lambda: process.is_answering(f"{url}/readyz"), log)
    return Meshline(url, store, started, log)


@contextmanager
def serve(home: Path, *options: str) -> Iterator[Meshline]:
    """`options`: of `meshline serve`, besides store and port."""
    with process.stop_at_end(start(home, *options)) as server:
        yield server


def read_settings(producer: str, places: Mapping[str, str]) -> str:
    """The settings of a producer, word for word those of docs/openlineage.md, except for places. `places`: by how the docs call them."""
    text = DOCS.read_text(encoding="utf-8")
    found = re.search(rf"^\*\*{re.escape(producer)}\*\*[^\n]*\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise process.ServerError(f"{DOCS} has no settings of {producer}")
    settings = found[1]
    for documented, actual in places.items():
        if documented not in settings:
            raise process.ServerError(f"the settings of {producer} in {DOCS} do not name {documented}")
        settings = settings.replace(documented, actual)
    return settings


def write_recording(name: str, events: Sequence[Event], begun: datetime, replacements: Mapping[str, str], file: Path | None) -> None:
    """Write events to the recording `name` (or to `file`): as if they had been sent in the night `NIGHT`, from places that are
    those of the replacements. Raises ServerError if a place of this machine is left.
    """
    stretch = recording.Stretch.from_recording(begun, datetime.now(UTC), NIGHT)
    lines = [json.dumps(event, ensure_ascii=False) for event in events]
    text = recording.format_ndjson(recording.number_ids(recording.normalise_events(lines, stretch, replacements)))
    for place in (str(ROOT), str(Path.home()), "127.0.0.1", "localhost", "/tmp"):
        if found := re.search(f".{{0,60}}{re.escape(place)}(?![a-z])", text):
            raise process.ServerError(f"the recording still names a place of this machine: {found[0]}")
    file = file or RECORDINGS / f"{name}.ndjson"
    file.write_text(text, encoding="utf-8")
    print(f"{file.name}: {len(events)} events, {len(text.encode()) / 1000:.0f} kB")
