"""Bad events among good ones, in batches over HTTP and in files for the command line: the good ones land, the others are named."""

from __future__ import annotations

import json
import random
import subprocess
from contextlib import closing
from itertools import islice
from pathlib import Path

from tests.faults.corpus import is_event, read_samples
from tests.faults.mutating import Mutation, change_event, spoil_body
from tests.faults.served import run_server
from tests.faults.test_bad_input import REFUSALS
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_file, check_oracle
from tests.faults.wire import BATCH, EVENT, send_request
from tests.forked_program import find_program

GOOD = 60
TOGETHER = 40  # events of a batch, at most

# What single events may hold that spoils the text of a whole batch, unless it is read with care.
SPOILING = [
    b'{"eventTime": "2026-03-01T00:00:00Z", "job": {"namespace": "n", "name": "nan"}, "x": NaN, "y": [-Infinity]}',
    b'{"eventTime": "2026-03-01T00:00:00Z", "job": {"namespace": "n", "name": "huge"}, "x": 1e999}',
    b'{"eventTime": "2026-03-01T00:00:00Z", "job": {"namespace": "n", "name": "latin-\xe9"}}',
    b'{"eventTime": "2026-03-01T00:00:00Z", "job": {"namespace": "n", "name": "deep"}, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"eventTime": "2026-03-01T00:00:00Z", "job": {"namespace": "n", "name": "surrogate \\ud800"}}',
    b'{"eventTime": "2026-03-01T00:00:00Z", "job": {"namespace": "n", "name": "brackets ]}],[{ \\" \\\\"}}',
    b"tru",
    b"nothing",
    b"1.2.3",
    b'"text"',
    b"[]",
    b"null",
]


def draw_mutations(seed: int) -> list[Mutation]:
    """Some of all kinds that are JSON by themselves and need no headers."""
    chance = random.Random(seed)
    chosen = chance.sample([sample for sample in read_samples() if is_event(sample)], 25)
    found = [
        one
        for sample in chosen
        for one in (*change_event(sample.event, sample.name, seed, 11), *spoil_body(sample.body, sample.name, seed))
    ]
    return [one for one in found if not one.headers and is_json(one.body)]


def is_json(body: bytes) -> bool:
    try:
        json.loads(body.decode())
    except (ValueError, RecursionError):
        return False
    return True


def test_the_good_ones_land(tmp_path: Path, seed: int) -> None:
    """A batch accepts exactly those events that are accepted alone."""
    chance = random.Random(seed)
    good = list(islice(generate_bodies(seed), GOOD))
    events = good + [one.body for one in draw_mutations(seed)]
    chance.shuffle(events)
    path = tmp_path / "mesh.db"
    with (
        run_server(f"sqlite:///{path}", tmp_path / "server.log") as server,
        run_server("sqlite://:memory:", tmp_path / "other.log") as other,
    ):
        accepted: list[bytes] = []
        while events:
            batch = [events.pop() for _ in range(min(len(events), chance.randint(1, TOGETHER)))]
            answer = send_request(server.port, "POST", BATCH, b"[" + b",".join(batch) + b"]")
            assert answer.status == 200, (answer, batch)
            failed = {one["index"]: one for one in answer.json["failed_events"]}
            for index, body in enumerate(batch):
                alone = send_request(other.port, "POST", EVENT, body)
                if index in failed:
                    assert alone.status in REFUSALS, (alone, failed[index], body[:1000])
                    assert failed[index]["reason"] == alone.json["error"]["message"]
                    assert not failed[index]["retriable"]
                else:
                    assert alone.status == 201, (alone, body[:1000])
                    accepted.append(body)
        assert set(good) <= set(accepted)
        check_oracle(server, good)
        assert "Traceback" not in server.log + other.log
    with closing(Truth()) as truth:
        truth.add_bodies(accepted)
        check_file(str(path), truth)


def test_one_event_does_not_spoil_the_text_of_the_others(tmp_path: Path, seed: int) -> None:
    """Whatever lies between two commas of the array is one event's affair."""
    with run_server("sqlite://:memory:", tmp_path / "server.log") as server:
        good = list(islice(generate_bodies(seed), 2 * len(SPOILING)))
        for position, bad in enumerate(SPOILING):
            batch = [good[2 * position], bad, good[2 * position + 1]]
            alone = send_request(server.port, "POST", EVENT, bad)
            answer = send_request(server.port, "POST", BATCH, b" [" + b" ,\n".join(batch) + b"] ")
            assert answer.status == 200, (answer, bad[:100])
            failed = [one["index"] for one in answer.json["failed_events"]]
            assert failed == ([] if alone.status == 201 else [1]), (answer, alone, bad[:100])
        check_oracle(server, good)


def test_the_command_line(tmp_path: Path, seed: int) -> None:
    """Lines of a file, good and bad: the bad ones are named by their lines, the good ones are there."""
    chance = random.Random(seed)
    good = list(islice(generate_bodies(seed), GOOD))
    bad = [body for body in SPOILING[6:] if body] + [good[0][:-7], b"\xff\xfe" + good[1].decode().encode("utf-16-le").replace(b"\n", b"")]
    lines = good + bad
    chance.shuffle(lines)
    file, path = tmp_path / "events.ndjson", tmp_path / "mesh.db"
    file.write_bytes(b"\n".join(lines) + b"\n")
    for _ in range(2):  # what is known already changes nothing
        command = [find_program(), "ingest", "openlineage", str(file), "--store", f"sqlite:///{path}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 1, done
        named = {int(line.split(f"{file}:")[1].split(":")[0]) for line in done.stderr.splitlines() if line.startswith("refused: ")}
        assert named == {number for number, line in enumerate(lines, 1) if line in bad}, done.stderr
        assert f"{GOOD} events ingested, {len(bad)} refused" in done.stderr
    with run_server(f"sqlite:///{path}", tmp_path / "server.log") as server:
        check_oracle(server, good)
