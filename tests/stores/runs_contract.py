"""The contract of every store about lists of runs and of events, and counts of events."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, build_dataset_key, build_job_key
from meshline.graph.store.base import Batch, RawEvent, Run, RunGroup, RunPosition, RunReader, RunRole, Store, StoredEvent, StoredRun
from tests.stores.commits_contract import Boom
from tests.stores.records_contract import P1, build_pair, build_run, build_run_key, find_siblings, put_runs

LOAD, OTHER = build_job_key("ns", "load"), build_job_key("ns", "other")
ORDERS, SHOP = build_dataset_key("ns", "orders"), build_dataset_key("shop", "Orders\x00é")
ALWAYS = (-(2**61), 2**61)


def build_listed_run(
    run_id: str, begun: int, reads: Sequence[AssetKey] = (), writes: Sequence[AssetKey] = (), job_name: str = "load", state: bytes = b"s"
) -> Run:
    return Run(build_run_key(run_id, job_name=job_name), "p", state, begun, tuple(reads), tuple(writes))


def list_run_ids(
    store: Store, *assets: AssetKey, role: RunRole = RunRole.JOB, before: RunPosition | None = None, limit: int = 100
) -> list[str]:
    return [stored.run.key.run_id for stored in store.list_runs(assets, role, before, limit)]


def build_event(at: int | None, body: bytes = b"{}", received_at: int = 1, type_: str = "START") -> RawEvent:
    return RawEvent("openlineage/x", received_at, body, at, "" if at is None else type_)


class RunsContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_runs_of_a_job_are_listed_newest_first(self, store: Store) -> None:
        put_runs(store, build_listed_run("a", 10), build_listed_run("c", 30), build_listed_run("before 1970", -5))
        put_runs(store, build_listed_run("b", 20), build_listed_run("of another job", 25, job_name="other"))
        assert list_run_ids(store, LOAD) == ["c", "b", "a", "before 1970"]
        assert list_run_ids(store, OTHER) == ["of another job"]
        assert list_run_ids(store, LOAD, OTHER, limit=2) == ["c", "of another job"]
        assert list_run_ids(store, LOAD, limit=0) == list_run_ids(store) == []
        assert list_run_ids(store, build_job_key("ns", "unknown")) == []
        assert store.count_runs([LOAD], RunRole.JOB) == 4
        assert store.count_runs([LOAD, OTHER, LOAD], RunRole.JOB) == 5
        assert store.count_runs([], RunRole.JOB) == 0

    def test_runs_of_a_dataset_are_listed_by_role_and_any_of_its_names_once(self, store: Store) -> None:
        put_runs(
            store,
            build_listed_run("reads", 1, [ORDERS]),
            build_listed_run("writes both", 2, [], [ORDERS, SHOP]),
            build_listed_run("both roles", 3, [SHOP], [SHOP]),
        )
        assert list_run_ids(store, ORDERS, SHOP, role=RunRole.WRITES) == ["both roles", "writes both"]
        assert list_run_ids(store, ORDERS, role=RunRole.WRITES) == ["writes both"]
        assert list_run_ids(store, SHOP, ORDERS, role=RunRole.READS) == ["both roles", "reads"]
        assert store.count_runs([ORDERS, SHOP], RunRole.WRITES) == 2
        assert list_run_ids(store, ORDERS, role=RunRole.JOB) == []

    def test_a_listed_run_is_the_run_that_was_written(self, store: Store) -> None:
        run = build_listed_run("a", 7, [SHOP, ORDERS], [ORDERS], state=bytes(range(256)) * 10)
        put_runs(store, run)
        (stored,) = store.list_runs([ORDERS], RunRole.WRITES)
        assert stored.run == run == store.read_runs([run.key])[run.key]
        assert stored.position.begun == 7

    @pytest.mark.parametrize("page", [1, 2, 3, 7])
    def test_pages_have_every_run_once_while_runs_are_added(self, store: Store, page: int) -> None:
        """Also those that began together, of which two pages have a part each."""
        put_runs(store, *(build_listed_run(f"{n}", n // 3, [ORDERS], [ORDERS, SHOP]) for n in range(12)))
        found: list[StoredRun] = []
        added = 0
        while part := store.list_runs([ORDERS, SHOP], RunRole.WRITES, found[-1].position if found else None, page):
            found += part
            added += 1
            put_runs(store, build_listed_run(f"new {added}", 100 + added, [], [SHOP]))
        assert sorted(stored.run.key.run_id for stored in found) == sorted(f"{n}" for n in range(12))
        assert [stored.run.begun for stored in found] == [3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0]

    def test_the_newest_runs_of_many_groups_are_those_of_each(self, store: Store) -> None:
        put_runs(
            store, *(build_listed_run(f"{n}", n // 2, [], [ORDERS] if n % 3 else [ORDERS, SHOP], state=b"%d" % n * 99) for n in range(12))
        )
        third = store.list_runs([ORDERS], RunRole.WRITES, limit=3)[-1].position
        groups = [
            RunGroup([SHOP]),
            RunGroup([]),
            RunGroup([build_dataset_key("ns", "unknown")]),
            RunGroup([ORDERS, SHOP, ORDERS]),
            RunGroup([ORDERS], third),
            RunGroup([SHOP], RunPosition(4, "")),
            RunGroup([SHOP]),
        ]
        for limit in (1, 2, 5, 100):
            expected = [list(store.list_runs(group.assets, RunRole.WRITES, group.before, limit)) for group in groups]
            assert [list(one) for one in store.list_last_runs(groups, RunRole.WRITES, limit)] == expected
            assert [len(one) for one in expected] == [min(limit, n) for n in (4, 0, 0, 12, 9, 3, 4)]
        states = [of_one[0].run.state if of_one else None for of_one in store.list_last_runs(groups, RunRole.WRITES)]
        assert list(store.read_last_states(groups, RunRole.WRITES)) == states
        assert states[:2] == [b"9" * 99, None]
        assert list(store.read_last_states([], RunRole.JOB)) == []
        assert [list(one) for one in store.list_last_runs(groups, RunRole.WRITES, 0)] == [[]] * 7
        assert list(store.list_last_runs([], RunRole.JOB)) == []

    def test_a_run_moves_when_an_earlier_event_of_it_arrives(self, store: Store) -> None:
        put_runs(store, build_listed_run("a", 10, [], [ORDERS]), build_listed_run("b", 20, [], [ORDERS]))
        put_runs(store, build_listed_run("b", 5, [ORDERS], [SHOP]))
        assert list_run_ids(store, LOAD) == ["a", "b"]
        assert list_run_ids(store, ORDERS, role=RunRole.WRITES) == ["a"]
        assert list_run_ids(store, SHOP, role=RunRole.WRITES) == list_run_ids(store, ORDERS, role=RunRole.READS) == ["b"]
        assert store.count_runs([LOAD], RunRole.JOB) == 2

    def test_runs_that_share_an_id_are_all_found_by_it(self, store: Store) -> None:
        put_runs(store, build_listed_run("a", 1), build_listed_run("a", 3, job_name="other"), build_listed_run("A", 2))
        assert [stored.run.key.job for stored in store.list_runs_by_id("a")] == [OTHER, LOAD]
        (newest,) = store.list_runs_by_id("a", 1)
        assert [stored.run.key.job for stored in store.list_runs_by_id("a", 5, newest.position)] == [LOAD]
        assert store.list_runs_by_id("unknown") == []
        assert (store.count_runs_by_id("a"), store.count_runs_by_id("unknown")) == (2, 0)

    def test_runs_that_share_an_id_and_began_together_are_each_on_one_page(self, store: Store) -> None:
        put_runs(store, *(build_listed_run("a", 1, job_name=f"j{n}") for n in range(3)))
        found: list[StoredRun] = []
        while part := store.list_runs_by_id("a", 1, found[-1].position if found else None):
            found += part
        assert sorted(stored.run.key.job.parts[1] for stored in found) == ["j0", "j1", "j2"]

    def test_runs_that_are_not_indexed_are_in_no_list_until_they_are(self, store: Store) -> None:
        """As an earlier version of meshline left them; their pairs and the revision stay as they are."""
        keys = [build_run_key(f"r{n}") for n in range(5)]
        put_runs(store, *(build_run(key) for key in keys), pairs=[build_pair(keys[0], P1)])
        put_runs(store, build_listed_run("new", 50))
        assert list_run_ids(store, LOAD) == ["new"]
        assert store.list_runs_by_id("r1") == []
        seen: list[list[str]] = []
        after = ""
        for n in range(4):

            def build(reader: RunReader, n: int = n) -> Batch:
                nonlocal after
                found = reader.list_unindexed_runs(after, 2)
                seen.append([stored.run.key.run_id for stored in found])
                after = found[-1].position.tie if found else after
                return Batch(indexed_runs=[stored.run._replace(begun=n, writes=(ORDERS,)) for stored in found])

            assert store.commit(build).revision == 2
        assert sorted(one for page in seen for one in page) == ["r0", "r1", "r2", "r3", "r4"]
        assert [len(page) for page in seen] == [2, 2, 1, 0]
        assert len(list_run_ids(store, ORDERS, role=RunRole.WRITES)) == 5
        assert store.count_runs([LOAD], RunRole.JOB) == 6
        assert list(find_siblings(store, (keys[0].source, "p", P1)).values()) == [[build_pair(keys[0], P1)]]
        store.commit(lambda _: Batch(indexed_runs=[build_listed_run("never stored", 1)]))
        assert list_run_ids(store, LOAD).count("never stored") == 0

    def test_a_commit_that_fails_changes_no_list(self, store: Store) -> None:
        put_runs(store, build_listed_run("a", 1, [], [ORDERS]))

        def build(_: RunReader) -> Batch:
            raise Boom

        with pytest.raises(Boom):
            store.commit(build)
        bad = Batch(
            runs=[build_listed_run("b", 2, [], [ORDERS]), build_listed_run("a", 9)],
            raw=[build_event(1), RawEvent("x/x", 1, None)],  # type: ignore[arg-type]
            event_counts={(0, "START"): 1},
        )
        with pytest.raises(Exception):  # noqa: B017, PT011 - each driver raises its own error for a wrong type
            store.commit(lambda _: bad)
        assert list_run_ids(store, ORDERS, role=RunRole.WRITES) == ["a"]
        assert (store.count_events(*ALWAYS), store.read_event_counts(*ALWAYS)) == (0, {})

    def test_a_position_of_another_store_is_refused_or_finds_nothing_wrong(self, store: Store) -> None:
        put_runs(store, build_listed_run("a", 1))
        for tie in ("x", "9" * 400, "-1", "\x00", "१"):
            try:
                found = store.list_runs([LOAD], RunRole.JOB, RunPosition(2, tie))
            except InvalidInput:
                continue
            assert [stored.run.key.run_id for stored in found] == ["a"]

    # Events

    def test_events_are_listed_by_their_time_newest_first(self, store: Store) -> None:
        store.commit(lambda _: Batch(raw=[build_event(at, str(at).encode()) for at in (5, 1, 4, -2, 3)]))
        assert [stored.event.at for stored in store.list_events(*ALWAYS)] == [5, 4, 3, 1, -2]
        assert [stored.event.at for stored in store.list_events(1, 5)] == [4, 3, 1]
        assert (store.count_events(1, 5), store.count_events(*ALWAYS), store.count_events(5, 1)) == (3, 5, 0)
        assert store.list_events(1, 5, limit=0) == []
        assert store.list_events(*ALWAYS, limit=1)[0].event == build_event(5, b"5")

    @pytest.mark.parametrize("page", [1, 2, 5])
    def test_pages_have_every_event_once_while_events_are_added(self, store: Store, page: int) -> None:
        store.commit(lambda _: Batch(raw=[build_event(n // 3, str(n).encode()) for n in range(10)]))
        found: list[StoredEvent] = []
        while part := store.list_events(*ALWAYS, (found[-1].event.at or 0, found[-1].position) if found else None, page):
            found += part
            store.commit(lambda _: Batch(raw=[build_event(100)]))
        assert [stored.event.body for stored in found] == [str(n).encode() for n in reversed(range(10))]

    def test_events_that_are_pruned_are_in_no_list_and_still_counted(self, store: Store) -> None:
        store.commit(
            lambda _: Batch(
                raw=[build_event(n, str(n).encode(), received_at=n) for n in range(6)], event_counts={(0, "START"): 4, (3600, "FAIL"): 2}
            )
        )
        assert store.prune_raw_events(4) == 4
        assert [stored.event.at for stored in store.list_events(*ALWAYS)] == [5, 4]
        assert store.count_events(*ALWAYS) == 2
        assert store.read_event_counts(*ALWAYS) == {(0, "START"): 4, (3600, "FAIL"): 2}

    def test_counts_are_added(self, store: Store) -> None:
        for _ in range(3):
            store.commit(lambda _: Batch(raw=[build_event(1)], event_counts={(-3600, "START"): 1, (0, "START"): 2, (0, "é\x00"): 1}))
        assert store.read_event_counts(*ALWAYS) == {(-3600, "START"): 3, (0, "START"): 6, (0, "é\x00"): 3}
        assert store.read_event_counts(-3600, 0) == {(-3600, "START"): 3}

    def test_events_that_are_not_indexed_are_in_no_list_until_they_are(self, store: Store) -> None:
        store.commit(lambda _: Batch(raw=[build_event(None, b"1"), build_event(7, b"2"), build_event(None, b"3")]))
        assert [stored.event.body for stored in store.list_events(*ALWAYS)] == [b"2"]
        seen: list[Sequence[StoredEvent]] = []

        def build(reader: RunReader) -> Batch:
            seen.append(reader.list_unindexed_events(seen[-1][-1].position if seen and seen[-1] else 0, 1))
            return Batch(indexed_events=[StoredEvent(at, event._replace(at=int(event.body), type="FAIL")) for at, event in seen[-1]])

        for _ in range(3):
            assert store.commit(build).revision == 1
        assert [[event.body for _, event in page] for page in seen] == [[b"1"], [b"3"], []]
        assert [stored.event for stored in store.list_events(*ALWAYS)] == [
            build_event(7, b"2"),
            build_event(3, b"3", type_="FAIL"),
            build_event(1, b"1", type_="FAIL"),
        ]
        assert [stored.event.body for stored in store.read_raw_events()] == [b"1", b"2", b"3"]
