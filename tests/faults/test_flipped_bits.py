"""One bit of a store's file is another: what is read is the same, or refused as damage; never another answer."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from meshline.errors import StoreCorrupt
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, build_job_key
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, PastHeads, Record, Run, RunGroup, RunKey, RunRole, Store
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import BatchBuilder, Received
from tests.faults.traffic import generate_bodies
from tests.faults.truth import CLOCK
from tests.queries import mesh

FLIPS = 600
WHILE_SERVED = 150
BOUND = 2**61  # microseconds: no time is beyond it


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of some events, with statements, runs, records and settings, closed."""
    path = tmp_path_factory.mktemp("sound") / "mesh.db"
    with closing(SqliteStore(str(path))) as store:
        live, builder = LiveGraph.open(store), BatchBuilder(Naming())
        received = [
            Received("openlineage/default", builder.parser.parse(body, CLOCK), CLOCK, body) for body in islice(generate_bodies(1), 60)
        ]
        for at in range(0, len(received), 20):
            live.commit(lambda runs, part=received[at : at + 20]: builder.build_batch(part, runs))  # type: ignore[misc]
        live.commit(lambda _: Batch(statements=mesh.build_mesh()))
        for number in range(20):
            live.commit(lambda _, number=number: Batch(settings={f"s{number}": "x"}, journal=[Record("k", f"{number}", number, b'"x"')]))  # type: ignore[misc]
    return path


class Answers:
    """All that can be asked of a store."""

    def __init__(self, path: Path) -> None:
        with closing(SqliteStore(str(path))) as store:
            scopes = [head.scope_id for head in store.read_changes(0).heads]
            heads = [head for batch in store.iterate_heads() for head in batch]
            times = sorted({head.observed_at for head in heads})
            self._times = [*times[:: max(1, len(times) // 5)], CLOCK]
            self._scopes = scopes
            self._runs = [RunKey("openlineage/default", build_job_key(*parts), name) for name, parts in list_runs(path)]
            self._settings = [f"s{number}" for number in range(20)]
            known = store.read_runs(self._runs).values()
            assert known
            in_role = {role: sorted({asset for run in known for asset in list_assets(run, role)}) for role in RunRole}
            self._lists = [(asset, role) for role, assets in in_role.items() for asset in assets[:: max(1, len(assets) // 2)]]
            self._run_ids = sorted({run.key.run_id for run in known})[::8]
            events = store.list_events(-BOUND, BOUND, None, 1000)
            self._spans = [(-BOUND, BOUND), (events[-1].event.at or 0, events[len(events) // 2].event.at or 0)]
            assert self._lists
            assert all(store.list_events(*span) for span in self._spans)

    def build_questions(self) -> dict[str, Callable[[Store], Any]]:
        """Each question by itself: a refusal of one means nothing for the others."""
        questions: dict[str, Callable[[Store], Any]] = {
            "heads": lambda store: sorted(head for batch in store.iterate_heads() for head in batch),
            "changes": lambda store: [sorted(store.read_changes(since).heads) for since in range(0, 30, 3)],
            "statements": lambda store: sorted(store.read_heads(self._scopes)),
            "history": lambda store: dict(store.read_history(self._scopes)),
            "runs": lambda store: dict(store.read_runs(self._runs)),
            "raw": lambda store: store.read_raw_events(),
            "runs by id": lambda store: [(store.list_runs_by_id(one), store.count_runs_by_id(one)) for one in self._run_ids],
            "journal": lambda store: store.read_journal(),
            "settings": lambda store: [store.read_setting(name) for name in self._settings],
            "revision": lambda store: store.read_revision(),
        }
        for asset, role in self._lists:
            questions[f"{role.name} {asset}"] = lambda store, asset=asset, role=role: (  # type: ignore[misc]
                store.list_runs([asset], role),
                store.count_runs([asset], role),
            )
        for role in RunRole:
            groups = [RunGroup([asset]) for asset, of_list in self._lists if of_list is role]
            questions[f"last states {role.name}"] = lambda store, groups=groups, role=role: store.read_last_states(groups, role)  # type: ignore[misc]
        for span in self._spans:
            questions[f"events {span}"] = lambda store, span=span: (store.list_events(*span), store.count_events(*span))  # type: ignore[misc]
            questions[f"counts {span}"] = lambda store, span=span: store.read_event_counts(*span)  # type: ignore[misc]
        for time in self._times:
            questions[f"heads as of {time}"] = lambda store, time=time: sorted(
                head for batch in store.iterate_heads(time) for head in batch
            )  # type: ignore[misc]
            questions[f"statements as of {time}"] = lambda store, time=time: sorted(store.read_heads(self._scopes, time))  # type: ignore[misc]
            questions[f"times as of {time}"] = lambda store, time=time: read_times(store, time)  # type: ignore[misc]
        return questions


def read_times(store: Store, as_of: int) -> Sequence[PastHeads]:
    with store.open_past(as_of) as past:
        return list(past.iterate_times(past.revision))


def list_assets(run: Run, role: RunRole) -> Sequence[AssetKey]:
    """The assets in whose lists of this role a run is."""
    return {RunRole.JOB: [run.key.job], RunRole.READS: run.reads, RunRole.WRITES: run.writes}[role]


def list_runs(path: Path) -> list[tuple[str, tuple[str, str]]]:
    """(run id, parts of the job's key) of each run; the store gives runs by their keys only."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, label FROM run JOIN label ON label_id = job").fetchall()
    return [(name, tuple(json.loads(parts))) for name, parts in rows]


def has_sound_structure(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return bool(found == "ok")


def flip_bit(data: bytes, chance: random.Random) -> tuple[int, bytes]:
    """The place of the bit, and what becomes of the file."""
    place = chance.randrange(8 * len(data))
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return place, bytes(changed)


def test_a_flipped_bit_is_never_another_answer(sound: Path, tmp_path: Path, seed: int) -> None:
    """Before the file is opened."""
    path, data, questions = tmp_path / "mesh.db", sound.read_bytes(), Answers(sound).build_questions()
    with closing(SqliteStore(str(sound))) as store:
        expected = {name: ask(store) for name, ask in questions.items()}
    refused, wrong = 0, []
    for number in range(FLIPS):
        place, changed = flip_bit(data, random.Random(f"{seed} {number}"))
        for left in tmp_path.glob("mesh.db*"):
            left.unlink()
        path.write_bytes(changed)
        damaged = False
        try:
            with closing(SqliteStore(str(path))) as store:
                for name, ask in questions.items():
                    try:
                        if ask(store) != expected[name]:
                            wrong.append(f"bit {place}: {name}")
                    except StoreCorrupt:
                        damaged = True
        except StoreCorrupt:
            damaged = True
        refused += damaged
    assert wrong == []
    assert refused > FLIPS / 4, "most bits mean something"


def test_a_bit_that_flips_while_the_file_is_served(sound: Path, tmp_path: Path, seed: int) -> None:
    """Each row is looked at whenever it is read. SQLite's own structures are looked at when a file is opened: a row that is lost
    meanwhile is found then.
    """
    data, questions = sound.read_bytes(), Answers(sound).build_questions()
    with closing(SqliteStore(str(sound))) as store:
        expected = {name: ask(store) for name, ask in questions.items()}
    wrong = []
    for number in range(WHILE_SERVED):
        chance = random.Random(f"{seed} served {number}")
        path = tmp_path / f"mesh{number}.db"
        path.write_bytes(data)
        with suppress(StoreCorrupt), closing(SqliteStore(str(path))) as store:
            store.read_revision()
            page = chance.randrange(1, len(data) // 4096)
            place = page * 4096 * 8 + chance.randrange(4096 * 8)
            with path.open("r+b") as file:
                file.seek(place // 8)
                file.write(bytes([data[place // 8] ^ 1 << place % 8]))
            for name, ask in questions.items():
                with suppress(StoreCorrupt):
                    if ask(store) != expected[name] and has_sound_structure(path):
                        wrong.append(f"bit {place}: {name}")
        path.unlink()
    assert wrong == []
