"""A store in Neo4j drops and packs its history as one in SQLite does, over a real server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshline.errors import StoreCorrupt
from meshline.graph.model import Statement
from meshline.graph.store.base import Store
from meshline.graph.store.neo4j import Neo4jStore, pruner
from meshline.graph.store.neo4j.connection import Address, Connection, run_query
from meshline.graph.store.neo4j.cypher import PARAMETERS, get_cypher
from meshline.graph.store.neo4j.dropped_runs import add_dropped_runs
from meshline.graph.store.neo4j.packed_times import check_packed_times
from meshline.graph.store.sqlite import SqliteStore
from tests.ingest.lineage_events import Event, ingest_groups
from tests.ingest.test_run_retention import check_only_the_newest_run_stays, check_pruning_changes_no_graph
from tests.ingest.test_run_retention import steps as event_steps
from tests.servers import PATIENCE, Neo4jServer
from tests.sizes import count_examples
from tests.stores.history_contract import (
    FOREVER,
    HistoryContract,
    PackingContract,
    Step,
    check_packing_changes_no_answer,
    pack,
    read_answers,
    steps,
)
from tests.stores.statements import build_statement, commit_statements, find_head, list_heads, read_graph

pytestmark = pytest.mark.server


class TestNeo4j(HistoryContract, PackingContract):
    @pytest.fixture
    def store(self, neo4j: Neo4jServer) -> Iterator[Store]:
        with closing(Neo4jStore(neo4j.url)) as store:
            yield store


few = settings(max_examples=count_examples(4), deadline=None, suppress_health_check=[*HealthCheck])


@few
@given(steps)
def test_packing_changes_no_answer(neo4j: Neo4jServer, given_steps: list[Step]) -> None:
    neo4j.wipe()
    with closing(Neo4jStore(neo4j.url)) as packed, closing(SqliteStore()) as whole:
        check_packing_changes_no_answer(packed, whole, given_steps)


@few
@given(event_steps, st.randoms(use_true_random=False))
def test_pruning_changes_no_graph(neo4j: Neo4jServer, given_steps: list[list[Event] | int], chance: Random) -> None:
    neo4j.wipe()
    with closing(Neo4jStore(neo4j.url)) as store:
        check_pruning_changes_no_graph(ingest_groups(store=store), given_steps, chance)


def test_a_process_that_is_killed_while_it_packs_loses_nothing(neo4j: Neo4jServer) -> None:
    stated = [build_statement("AAB"[at % 7 // 3], at, scope=f"s{scope}") for at in range(40) for scope in range(3)]
    with closing(Neo4jStore(neo4j.url)) as store:
        commit_statements(store, *stated)
        before = read_answers(store, FOREVER)
        for number in (1, 2, 3):
            done = subprocess.run([sys.executable, "-c", KILLED, neo4j.url, str(number)], check=False, timeout=PATIENCE)
            assert done.returncode == -signal.SIGKILL
            assert read_answers(store, FOREVER) == before
        assert pack(store, 40) > 0
        assert read_answers(store, FOREVER) == before
        assert pack(store, 40) == 0


KILLED = """
import os, signal, sys
from meshline.graph.store.base import Retention
from meshline.graph.store.neo4j import Neo4jStore, packed_times, pruner
from meshline.ingest.openlineage.builder import find_run_age
run, after = packed_times.run_in_chunks, int(sys.argv[2])
def die(*arguments):
    global after
    run(*arguments)
    after -= 1
    if not after:
        os.kill(os.getpid(), signal.SIGKILL)
packed_times.run_in_chunks = die
pruner.OLD_ROWS = 30
Neo4jStore(sys.argv[1]).prune_history(Retention(observations=40), find_run_age)
"""


def test_two_servers_write_while_both_pack(neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And read as of times: what is packed and what is asked about meet in the middle."""
    monkeypatch.setattr(pruner, "OLD_ROWS", 20)
    stated = [build_statement("AAAB"[at % 11 // 3], at, scope=f"s{at % 3}", version=f"{at}@x") for at in range(240)]
    Random(7).shuffle(stated)
    early, late = stated[:120], stated[120:]
    with closing(Neo4jStore(neo4j.url)) as one, closing(Neo4jStore(neo4j.url)) as other, closing(SqliteStore()) as whole:
        commit_statements(one, *early)
        commit_statements(whole, *stated)

        def write(store: Store, part: Sequence[Statement]) -> None:
            for start in range(0, len(part), 10):
                commit_statements(store, *part[start : start + 10])

        def pack_again(store: Store, before: int) -> int:
            return sum(pack(store, before - number) for number in range(3))

        with ThreadPoolExecutor(4) as pool:
            work = [pool.submit(write, one, late[:60]), pool.submit(write, other, late[60:])]
            packed = [pool.submit(pack_again, store, before) for store, before in ((one, 241), (other, 150))]
            for each in work:
                each.result(PATIENCE)
            assert sum(each.result(PATIENCE) for each in packed) > 0
        pack(one, 241)
        for store in (one, other):
            for at in range(-1, 242, 3):
                assert read_past(store, at) == read_past(whole, at)
        assert read_answers(one, FOREVER) == read_answers(whole, FOREVER)


def read_past(store: Store, at: int) -> dict[object, object]:
    return {name: head._replace(version="") for name, head in read_graph(store, at).items()}


def test_a_question_about_packed_times_waits_for_who_packs(neo4j: Neo4jServer) -> None:
    """Neo4j shows parts of a transaction: of what is packed, what was removed and not yet the block with its times."""
    with closing(Neo4jStore(neo4j.url)) as store, ThreadPoolExecutor(2) as pool, neo4j.session() as session:
        commit_statements(store, *(build_statement("A", at, version=f"{at}@x") for at in range(9)))
        (scope,) = (head.scope_id for head in list_heads(store))
        assert pack(store, 7) == 5
        with session.begin_transaction() as packing:
            packing.run(get_cypher("lock")).consume()
            asked, also = pool.submit(store.read_heads, [scope], 4), pool.submit(read_times, store, 4)
            assert [head.observed_at for head in store.read_heads([scope], 7)] == [7], "of which nothing is packed"
            with pytest.raises(TimeoutError):
                asked.result(0.5)
            assert not also.done()
        assert [head.observed_at for head in asked.result(PATIENCE)] == [4]
        assert also.result(PATIENCE) == [(scope, 4, 0, "@4")]


def read_times(store: Store, at: int) -> list[tuple[int, int, int, str]]:
    with store.open_past(at) as reader:
        return [row for heads in reader.iterate_times(reader.revision) for row in zip(*heads[:4], strict=True)]


def test_damaged_times_are_found_and_refused(neo4j: Neo4jServer) -> None:
    with closing(Neo4jStore(neo4j.url)) as store:
        commit_statements(store, *(build_statement("A", at, version=f"{at}@x") for at in range(9)))
        assert pack(store, 9) == 7
        commit_statements(store, build_statement("B", 3, scope="other"))
        check = check_packed_times(neo4j.url)
        assert (check.looked_at, check.problems) == (1, ())
        with neo4j.session() as session:
            session.run("MATCH (t:Statement) WHERE t.observedMicros = 0 SET t.observedMicros = 4, t.digest = 'ab'").consume()
            assert check_packed_times(neo4j.url).problems == ("scope 1: another content was stated between packed times",)
            session.run("MATCH (p:PackedTimes) SET p.times = $times", times=b"\x01\x05").consume()
        with pytest.raises(StoreCorrupt, match="packed times"):
            find_head(store, as_of=4)
        assert any("do not end at their last" in problem for problem in check_packed_times(neo4j.url).problems)


def test_many_dropped_runs_are_known_and_forgotten(neo4j: Neo4jServer) -> None:
    chance = Random(3)
    days = {chance.randrange(2**63): chance.randrange(1000) for _ in range(900)}
    with closing(Neo4jStore(neo4j.url)), closing(Connection(Address.parse(neo4j.url))) as connection:
        digests = list(days)
        for start in range(0, len(digests), 170):
            part = {digest: days[digest] for digest in digests[start : start + 170]}
            connection.write(partial(add_dropped_runs, days=part))
        connection.write(partial(add_dropped_runs, days={digests[0]: 2000}))

        def list_known() -> set[int]:
            asked = [*days, *(digest ^ 1 for digest in days), 0, 2**63 - 1]
            found: list[int] = connection.read(partial(run_query, text=get_cypher("dropped_runs"), digests=asked))[0]
            return set(found)

        assert list_known() == set(days)
        with neo4j.session() as session:
            ((least, most, nodes),) = session.run(
                "MATCH (d:DroppedRuns) RETURN min(size(d.digests)), max(size(d.digests)), count(*)"
            ).values()
        assert 30 < least < most <= 128
        assert 7 < nodes < 20
        pruner._drop_all(connection, "forget_dropped_runs", 500)
        assert list_known() == {digest for digest, day in days.items() if day >= 500 or digest == digests[0]}
        pruner._drop_all(connection, "forget_dropped_runs", 1500)
        assert list_known() == {digests[0]}
        connection.write(partial(add_dropped_runs, days={5: 2000, 2**63 - 1: 2000}))
        assert list_known() == {digests[0], 2**63 - 1}


def test_only_the_newest_run_of_unchanged_lineage_stays(neo4j: Neo4jServer) -> None:
    with closing(Neo4jStore(neo4j.url)) as store:
        check_only_the_newest_run_stays(ingest_groups(store=store))


def test_a_page_of_old_runs_looks_at_no_others(neo4j: Neo4jServer) -> None:
    """Else a pruning of many runs takes as long as the square of their number."""
    with closing(Neo4jStore(neo4j.url)), neo4j.session() as session:
        made = "UNWIND range(0, 9999) AS n CREATE (:Run {key: toString(10000 + n * 7 % 10000), begunMicros: n / 1000})"
        session.run(made).consume()
        listed: list[list[object]] = []
        position: list[object] = [-1, ""]
        while True:
            asked = {"since": position[0], "after": position[1], "before": 2, "limit": 400}
            result = session.run(f"PROFILE {get_cypher('old_runs')}", {PARAMETERS: asked})
            (page,) = result.value()
            profile = result.consume().profile
            assert profile is not None
            assert count_hits(profile) <= 10 * 400
            if not page:
                break
            listed += page
            position = page[-1]
        assert listed == sorted(session.run("MATCH (r:Run) WHERE r.begunMicros < 2 RETURN r.begunMicros, r.key").values())


def count_hits(plan: Mapping[str, Any]) -> int:
    """How often the server looked at a node or a property for a part of a query."""
    return int(plan["dbHits"]) + sum(map(count_hits, plan.get("children", ())))
