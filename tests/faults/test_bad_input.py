"""Bad input over HTTP: never a failure of ours, never a hang, never a lost good event beside a bad one.

`MESHLINE_MUTATIONS` is how many changes of each real event are tried; a few in every run, 200 with `scripts/test --all`.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import random
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.pipeline import Pipeline
from tests.faults.corpus import Sample, is_event, list_files, read_samples
from tests.faults.mutating import Mutation, change_event, spoil_body
from tests.faults.served import Server, run_server
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_file, check_oracle
from tests.faults.wire import EVENT, JSON, Answer, open_wire
from tests.sizes import choose_size

FEW, EVENTS = 11, 60  # changes of each event, and events, where nothing else is asked for
MUTATIONS = int(os.environ.get("MESHLINE_MUTATIONS", str(choose_size(FEW, 200))))
REFUSALS = {400, 413, 415, 422}
CONNECTIONS = 8
GOOD = 150  # events that are sent beside the bad ones


def sample_events(seed: int) -> list[Sample]:
    """Others each time; all of them if more than a few changes are asked for."""
    found = [sample for sample in read_samples() if is_event(sample)]
    return found if MUTATIONS > FEW else random.Random(seed).sample(found, min(EVENTS, len(found)))


def iterate_mutations(found: Iterable[Sample], seed: int, number: int) -> Iterator[Mutation]:
    for sample in found:
        yield from change_event(sample.event, sample.name, seed, number)
        yield from spoil_body(sample.body, sample.name, seed)


async def post_mutations(server: Server, mutated: Iterable[Mutation]) -> list[tuple[Mutation, Answer]]:
    """Each by itself, over a few connections."""
    left = iter(mutated)
    result: list[tuple[Mutation, Answer]] = []

    async def post_some() -> None:
        async with open_wire(server.port) as to:
            for mutation in left:
                try:
                    answer = await to.request("POST", EVENT, mutation.body, {**JSON, **mutation.headers})
                except Exception as error:
                    error.add_note(f"{mutation.name}: {mutation.body[:1000]!r}")
                    raise
                result.append((mutation, answer))

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(post_some())
    return result


def decompress_body(mutation: Mutation) -> bytes:
    """The event that an accepted request contained."""
    return gzip.decompress(mutation.body) if mutation.headers.get("Content-Encoding") == "gzip" else mutation.body


def check_refusal(mutation: Mutation, answer: Answer) -> None:
    what = (mutation.name, answer, mutation.body[:2000])
    assert answer.status in {201, *REFUSALS}, what
    if answer.status != 201:
        error = answer.json["error"]
        assert error["code"] != "INTERNAL", what
        assert error["message"], what


def test_every_mutation_by_itself(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "mesh.db"
    good = list(islice(generate_bodies(seed), GOOD))
    with run_server(f"sqlite:///{path}", tmp_path / "server.log") as server:
        among = [Mutation("good", body, {}) for body in good]
        bad = list(iterate_mutations(sample_events(seed), seed, MUTATIONS))
        chance = random.Random(seed)
        sent = chance.sample(among + bad, len(among) + len(bad))
        answered = asyncio.run(post_mutations(server, sent))
        for mutation, answer in answered:
            check_refusal(mutation, answer)
        accepted = [decompress_body(mutation) for mutation, answer in answered if answer.status == 201]
        assert set(good) <= set(accepted)
        check_oracle(server, good)
        assert "Traceback" not in server.log, server.log[-5000:]
    with closing(Truth()) as truth:
        truth.add_bodies(accepted)
        check_file(str(path), truth)


def test_every_file_of_the_corpus_is_accepted_or_refused(tmp_path: Path) -> None:
    """Events or not: schemas, tables, manifests, texts."""
    with run_server("sqlite://:memory:", tmp_path / "server.log") as server:
        found = [Mutation(str(path), path.read_bytes(), {}) for path in list_files()] + [Mutation(*sample, {}) for sample in read_samples()]
        for mutation, answer in asyncio.run(post_mutations(server, found)):
            check_refusal(mutation, answer)
        assert "Traceback" not in server.log, server.log[-5000:]


def test_every_mutation_inside(seed: int) -> None:
    """The same without HTTP, and more of it: an event is refused before anything is stored, or it is ingested."""
    with closing(SqliteStore()) as store:
        pipeline = Pipeline(LiveGraph.open(store), BatchBuilder(Naming()))
        waiting = []
        for mutation in (one for sample in sample_events(seed) for one in change_event(sample.event, sample.name, seed, 3 * MUTATIONS)):
            try:
                waiting.append((mutation, pipeline.submit(mutation.body, wait=True)))
            except InvalidInput:
                continue
            except Exception as error:
                error.add_note(f"{mutation.name}: {mutation.body[:1000]!r}")
                raise
        for mutation, future in waiting:
            failure = future.exception(timeout=60)
            assert failure is None, (mutation.name, mutation.body[:1000])
        pipeline.close()
