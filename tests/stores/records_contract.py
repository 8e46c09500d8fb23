"""The contract of every store about runs, pairs, raw events and settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest

from meshline.graph.model import build_job_key
from meshline.graph.store.base import Batch, RawEvent, Run, RunKey, RunPair, RunReader, Store
from tests.stores.commits_contract import Boom
from tests.stores.statements import build_statement, commit_statements

JOB = build_job_key("ns", "load")
OTHER_JOB = build_job_key("ns", "other")
P1, P2, P3 = b"1" * 16, b"\x00" * 16, b"\xff" * 16


def build_run_key(run_id: str = "r", of: str = "openlineage/test", job_name: str = "load") -> RunKey:
    return RunKey(of, build_job_key("ns", job_name), run_id)


def build_run(run_key: RunKey, state: bytes = b"state", parent: str = "p") -> Run:
    return Run(run_key, parent, state)


def put_runs(store: Store, *runs: Run, pairs: Iterable[RunPair] = ()) -> int:
    batch = Batch(runs=runs, pairs=tuple(pairs))
    return store.commit(lambda _: batch).revision


def build_pair(run_key: RunKey, digest: bytes, *, parent: str = "p", covered: bool = False) -> RunPair:
    return RunPair(parent, digest, run_key, covered)


def find_siblings(store: Store, *wanted: tuple[str, str, bytes]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
    """The sibling pairs that a builder reads; its empty batch changes nothing."""
    found: list[Mapping[tuple[str, str, bytes], Sequence[RunPair]]] = []

    def build(reader: RunReader) -> Batch:
        found.append({asked: sorted(pairs) for asked, pairs in reader.find_siblings(wanted).items() if pairs})
        return Batch()

    store.commit(build)
    return found[0]


class RecordContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # Runs

    def test_runs_are_kept_and_replaced(self, store: Store) -> None:
        put_runs(store, build_run(build_run_key("a"), b"1", "p1"), build_run(build_run_key("b"), b"2", ""))
        put_runs(store, build_run(build_run_key("a"), b"3", "p2"))
        assert store.read_runs([build_run_key("a"), build_run_key("b"), build_run_key("c")]) == {
            build_run_key("a"): build_run(build_run_key("a"), b"3", "p2"),
            build_run_key("b"): build_run(build_run_key("b"), b"2", ""),
        }
        assert store.read_runs([]) == {}

    def test_a_run_is_known_by_source_job_and_id(self, store: Store) -> None:
        keys = [
            build_run_key("a"),
            build_run_key("a", of="openlineage/other"),
            build_run_key("a", job_name="other"),
            build_run_key("A"),
            build_run_key("a\x00"),
            build_run_key(""),
        ]
        put_runs(store, *(build_run(k, str(n).encode()) for n, k in enumerate(keys)))
        assert {k: int(r.state) for k, r in store.read_runs(keys).items()} == {k: n for n, k in enumerate(keys)}

    @pytest.mark.parametrize("state", [b"", b"\x00", bytes(range(256)) * 1000])
    def test_run_state_is_opaque(self, store: Store, state: bytes) -> None:
        put_runs(store, build_run(build_run_key(), state))
        assert store.read_runs([build_run_key()])[build_run_key()].state == state

    def test_a_builder_reads_what_was_committed(self, store: Store) -> None:
        for n in range(3):

            def build(reader: RunReader) -> Batch:
                before = reader.find_runs([build_run_key(), build_run_key("unknown")])
                assert build_run_key("unknown") not in before
                count = int(before[build_run_key()].state) if before else 0
                return Batch(runs=[build_run(build_run_key(), str(count + 1).encode())])

            assert store.commit(build).revision == n + 1
        assert store.read_runs([build_run_key()])[build_run_key()].state == b"3"

    def test_putting_what_is_known_takes_no_revision(self, store: Store) -> None:
        assert put_runs(store, build_run(build_run_key()), pairs=[build_pair(build_run_key(), P1)]) == 1
        assert put_runs(store, build_run(build_run_key()), pairs=[build_pair(build_run_key(), P1)]) == 1
        assert put_runs(store, build_run(build_run_key()), pairs=[build_pair(build_run_key(), P1, covered=True)]) == 2
        assert put_runs(store, build_run(build_run_key(), b"new"), pairs=[build_pair(build_run_key(), P1, covered=True)]) == 3
        assert put_runs(store, build_run(build_run_key(), b"new")) == 4

    def test_many_runs_at_once(self, store: Store) -> None:
        put_runs(
            store,
            *(build_run(build_run_key(str(n)), bytes([n % 256]), f"p{n % 7}") for n in range(2000)),
            pairs=[build_pair(build_run_key(str(n)), P1, parent=f"p{n % 7}") for n in range(2000)],
        )
        assert len(store.read_runs(build_run_key(str(n)) for n in range(3000))) == 2000
        assert len(find_siblings(store, ("openlineage/test", "p3", P1))["openlineage/test", "p3", P1]) == len(range(3, 2000, 7))

    def test_a_builder_that_raises_leaves_no_run(self, store: Store) -> None:
        def build(_: RunReader) -> Batch:
            raise Boom

        put_runs(store, build_run(build_run_key(), b"1"))
        with pytest.raises(Boom):
            store.commit(build)
        assert store.read_runs([build_run_key()])[build_run_key()].state == b"1"

    # Pairs

    def test_siblings_are_the_pairs_of_the_runs_of_one_parent(self, store: Store) -> None:
        a, b, c, other = (
            build_run_key("a"),
            build_run_key("b", job_name="other"),
            build_run_key("c"),
            build_run_key("d", of="openlineage/other"),
        )
        put_runs(
            store,
            build_run(a),
            build_run(b),
            build_run(c, parent="q"),
            build_run(other),
            pairs=[
                build_pair(a, P1),
                build_pair(a, P2, covered=True),
                build_pair(b, P1, covered=True),
                build_pair(c, P1, parent="q"),
                build_pair(other, P1),
            ],
        )
        asked = [("openlineage/test", "p", P1), ("openlineage/test", "p", P2), ("openlineage/test", "p", P3), ("openlineage/test", "q", P1)]
        assert find_siblings(store, *asked) == {
            asked[0]: sorted([build_pair(a, P1), build_pair(b, P1, covered=True)]),
            asked[1]: [build_pair(a, P2, covered=True)],
            asked[3]: [build_pair(c, P1, parent="q")],
        }
        assert find_siblings(store) == {}

    def test_putting_a_run_replaces_its_pairs(self, store: Store) -> None:
        a, b = build_run_key("a"), build_run_key("b")
        put_runs(store, build_run(a), build_run(b), pairs=[build_pair(a, P1), build_pair(a, P2), build_pair(b, P1)])
        put_runs(store, build_run(a, parent="q"), pairs=[build_pair(a, P3, parent="q", covered=True)])
        assert find_siblings(store, *(("openlineage/test", parent, p) for parent in "pq" for p in (P1, P2, P3))) == {
            ("openlineage/test", "p", P1): [build_pair(b, P1)],
            ("openlineage/test", "q", P3): [build_pair(a, P3, parent="q", covered=True)],
        }
        put_runs(store, build_run(a, parent="q"))
        assert find_siblings(store, ("openlineage/test", "q", P3)) == {}

    # Raw events

    def test_raw_events_come_back_in_order_of_arrival(self, store: Store) -> None:
        events = [RawEvent("openlineage/x", 100 - n, f'{{"n": {n}, "ü": "\\u0000"}}'.encode()) for n in range(10)]
        store.commit(lambda _: Batch(raw=events[:4]))
        store.commit(lambda _: Batch(raw=events[4:]))
        stored = store.read_raw_events()
        assert [s.event for s in stored] == events
        positions = [s.position for s in stored]
        assert positions == sorted(set(positions))
        assert positions[0] > 0
        assert store.read_raw_events(after=positions[3], limit=2) == list(stored[4:6])
        assert store.read_raw_events(after=positions[-1]) == []
        assert store.read_raw_events(limit=0) == []

    def test_a_raw_event_may_come_twice(self, store: Store) -> None:
        event = RawEvent("openlineage/x", 1, b"{}")
        assert store.commit(lambda _: Batch(raw=[event])).revision == 1
        assert store.commit(lambda _: Batch(raw=[event, event]))[:2] == (2, [])
        assert [s.event for s in store.read_raw_events()] == [event] * 3

    @pytest.mark.parametrize("body", [b"", b"\x00\xff", b"x" * 300_000])
    def test_bodies_are_kept_as_they_came(self, store: Store, body: bytes) -> None:
        store.commit(lambda _: Batch(raw=[RawEvent("s/é\x00", 1, body)]))
        assert [s.event for s in store.read_raw_events()] == [RawEvent("s/é\x00", 1, body)]

    def test_old_raw_events_are_forgotten(self, store: Store) -> None:
        store.commit(lambda _: Batch(raw=[RawEvent("x/x", at, str(at).encode()) for at in (5, 1, 4, 2, 3)]))
        last = store.read_raw_events()[-1].position
        assert store.prune_raw_events(3) == 2
        assert [s.event.received_at for s in store.read_raw_events()] == [5, 4, 3]
        assert store.prune_raw_events(3) == 0
        assert store.prune_raw_events(100) == 3
        assert store.read_raw_events() == []
        store.commit(lambda _: Batch(raw=[RawEvent("x/x", 9, b"9")]))
        assert store.read_raw_events()[0].position > last, "a position is never used again"
        assert store.read_revision() == 2, "forgetting takes no revision"

    def test_raw_events_runs_and_statements_are_one_commit(self, store: Store) -> None:
        bad = Batch(statements=[build_statement("A", 1)], runs=[build_run(build_run_key())], raw=[RawEvent("x/x", 1, None)])  # type: ignore[arg-type]
        with pytest.raises(Exception):  # noqa: B017, PT011 - each driver raises its own error for a wrong type
            store.commit(lambda _: bad)
        assert (store.read_revision(), store.read_runs([build_run_key()]), store.read_raw_events(), list(store.iterate_heads())) == (
            0,
            {},
            [],
            [],
        )
        commit_statements(store, build_statement("A", 1))
        assert store.read_revision() == 1

    # Settings

    def test_settings_of_a_batch_are_set_with_it_or_not_at_all(self, store: Store) -> None:
        store.commit(lambda _: Batch(raw=[RawEvent("s", 1, b"{}")], settings={"a": "1", "b": "2"}))
        assert (store.read_setting("a"), store.read_setting("b"), store.read_revision()) == ("1", "2", 1)

        def raise_boom(_: RunReader) -> Batch:
            raise Boom

        with pytest.raises(Boom):
            store.commit(raise_boom)
        store.commit(lambda _: Batch(settings={"a": "3"}))
        assert (store.read_setting("a"), store.read_setting("b"), store.read_revision()) == ("3", "2", 1), "settings alone take no revision"

    def test_a_setting_may_be_read_by_what_builds_its_next_value(self, store: Store) -> None:
        """Under the write lock: two processes that count on cannot lose a count."""
        for _ in range(3):
            store.commit(lambda _: Batch(settings={"a": f"{store.read_setting('a') or ''}x"}))
        assert store.read_setting("a") == "xxx"

    def test_settings(self, store: Store) -> None:
        assert store.read_setting("naming") is None
        store.write_setting("naming", "a")
        assert store.read_setting("naming") == "a"
        store.write_setting("naming", "")
        assert store.read_setting("naming") == ""
        assert store.read_setting("other") is None
        store.write_setting("ü\x00", "\x00ü" * 3000)
        assert store.read_setting("ü\x00") == "\x00ü" * 3000
        assert store.read_revision() == 0, "a setting takes no revision"
