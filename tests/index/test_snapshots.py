"""An index in a file: what is mapped is what was written, whatever happens to the file, and follows the store from there (law 7)."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph import index_file as keeping
from meshline.graph.index import LineageIndex, asset_names, index_state, index_tables, large_classes, snapshot_file, suggestions
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.results import Ints
from meshline.graph.index.snapshot_file import Busy, SnapshotWriter, compute_code_digest, open_snapshot
from meshline.graph.index_file import Snapshots, read_tokens
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, AssetKey, Facts, Precedence, Statement
from meshline.graph.own_files import Unusable
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.store.sqlite.maintenance import back_up_file
from tests.index.heads import Fold, build_flow, build_statement, state_lineage, to_dataset
from tests.index.strategies import any_statement, column_drops, column_renames, draw_lists, drops, merges, partings, renames
from tests.index.test_laws import check_traversable, collect_answers, collect_names
from tests.sizes import choose_size, count_examples

FLIPS = choose_size(60, 3_000)
ROOT = Path(__file__).parents[2]
any_change = st.one_of(any_statement, merges, partings, renames, drops, column_renames, column_drops)


@pytest.fixture(autouse=True)
def _keep_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LEAST_HEADS", 0)
    monkeypatch.setattr(index_state, "SPARE_ROWS", 3)  # so that arrays are copied, too


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "graph.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(str(path))) as opened:
        yield opened


def pass_on(index: LineageIndex, path: Path) -> LineageIndex:
    """The index in a file, mapped."""
    with closing(SnapshotWriter(path)) as writer:
        writer.make_room(index.collect_parts())
        writer.write(index.collect_parts())
        writer.finish(compute_code_digest(), b"\x80")
    return LineageIndex.restore(open_snapshot(path, compute_code_digest(), lambda _: None).arrays, index.revision, index.precedence)


def find_ids(index: LineageIndex, ids: set[str]) -> dict[str, AssetKey | None]:
    found = {id_: index.assets.find(id_) for id_ in ids}
    return {id_: None if node is None else index.assets.get_key(node) for id_, node in found.items()}


def open_kept(store: SqliteStore, path: Path) -> LiveGraph:
    return LiveGraph.open(store, snapshots=Snapshots(path.with_name("graph.db.index")))


def commit_statements(graph: LiveGraph, *statements: Statement) -> None:
    graph.commit(lambda _: Batch(statements=statements))


def state_title(dataset: str, title: str, at: int = 1) -> Statement:
    return build_statement(Facts(assets=(AssetFact(to_dataset(dataset), {"title": title}),)), ("dataset", dataset, "title"), at)


def fill_graph(graph: LiveGraph) -> None:
    commit_statements(graph, state_lineage(build_flow("a.x", "b.x")), state_title("kd_eml", "customer e-mail"))
    commit_statements(graph, state_lineage(build_flow("b.x", "c.x"), scope="two"))


@settings(max_examples=count_examples(20), deadline=None)
@given(st.lists(draw_lists(any_change, 5), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_increments_on_a_mapped_index_equal_a_rebuild(batches: list[list[Statement]], chance: Random) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_tables, "OVERLAY", 3)
        patch.setattr(index_tables, "GARBAGE", 5)
        patch.setattr(large_classes, "LARGE", 1)
        fold, path = Fold(), Path(folder) / "index"
        index = LineageIndex.load([], 0)
        for batch in batches:
            if chance.random() < 0.5:
                index.prepare_ids()
            if chance.random() < 0.6:
                index = pass_on(index, path)
            index.changes.apply(fold.add(*batch))
            if chance.random() < 0.3:
                index.changes.apply(fold.withdraw(chance.choice(fold.statements)))
            check_traversable(index)
        index = pass_on(index, path)
        rebuilt = fold.build_index()
        assert index.dump() == rebuilt.dump()
        assert collect_answers(index) == collect_answers(rebuilt)
        assert collect_names(index) == collect_names(rebuilt)
        ids = {member.id for asset in rebuilt.dump().assets for member in asset.members}
        assert find_ids(index, ids) == find_ids(rebuilt, ids)


def collect_found(index: LineageIndex) -> object:
    """What suggestions and searches find, with their ranks."""
    typed = {text: [*index.iterate_suggestions(text, 5)] for text in ("a", "a.x", "kd", "kd_eml1.e", "é", "\udcff")}
    hits = {text: index.search_names(text, (), {}).keep_best(1_000) for text in ("a x", "kd mail", "ä b")}
    searched = {text: [(index.assets.get_key(node), order) for order, node in index.iterate_hits(found, 5)] for text, found in hits.items()}
    return typed, searched


@settings(max_examples=count_examples(20), deadline=None)
@given(st.lists(draw_lists(any_change, 5), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_names_that_went_through_a_file_are_found_as_others(batches: list[list[Statement]], chance: Random) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(asset_names, "_RECENT", 2)
        patch.setattr(suggestions, "_RECENT", 2)
        path = Path(folder) / "index"
        stayed, moved, fold, copy = LineageIndex.load([], 0), LineageIndex.load([], 0), Fold(), Fold()
        for number, batch in enumerate(batches):
            more = [*batch, state_title(f"kd_eml{number}.é", "customer e-mail", number + 1), state_title("a.ä", "e-mail", number + 1)]
            stayed.changes.apply(fold.add(*more))
            moved.changes.apply(copy.add(*more))
            if chance.random() < 0.7:
                moved.prepare_suggestions()
                moved.prepare_search()
            if chance.random() < 0.7:
                known = moved.has_names
                moved = pass_on(moved, path)
                assert moved.has_names == known
            if chance.random() < 0.5:
                assert collect_found(moved) == collect_found(stayed)
        assert collect_found(pass_on(moved, path)) == collect_found(stayed)


def test_a_start_from_the_file_reads_no_names(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = open_kept(store, path)
    fill_graph(graph)
    assert graph.keep_index()
    assert not graph.keep_index()
    graph.prepare_names()
    assert graph.keep_index(), "the file had no names"
    assert not graph.keep_index()
    expected = collect_found(graph.index)

    def read_none(_tables: IndexTables, names: Ints) -> list[str]:
        assert not len(names)
        return []

    monkeypatch.setattr(IndexTables, "read_texts", read_none)
    again = open_kept(store, path)
    again.prepare_names()
    assert not again.keep_index()
    monkeypatch.undo()
    assert collect_found(again.index) == expected


def test_what_an_index_knows_is_in_the_file_or_derived() -> None:
    """An attribute that is added to one of these classes must be in the file, or be listed here, because it is derived."""
    derived = {
        "loader": {"version", "names_version", "applied", "_attributes", "_encoded", "_tag_numbers"}
        | {"tables", "identity", "owners", "dataset_renames", "column_renames", "pairs", "silent_jobs"},
        "tables": {"share", "heads", "_local", "_longest", "_found", "_itself", "_supported"},
        "heads": {"renumbered", "_key", "_in_some", "_jobs", "_parts", "_runs"},
        "identity": {"regrouped", "_classes", "_parted", "_columns", "_rest", "_large"},
        "owners": {"_nodes", "_upto", "_in_use", "_restated"},
        "datasets": {"_stating", "_leading", "_continuing", "_changed", "_loose"},
        "columns": {"_texts", "_changed"},
        "pairs": {"_unsettled"},
        "silent": set(),
    }
    arrays = {"tables": {"counts", *index_state._GROUPS}, "silent": {"_array"}}
    for name, owner in index_state._list_saved(LineageIndex.load([], 0)._loader):
        numbers = {*getattr(owner, "NUMBERS", ()), "starts", "by_scope", "scopes"} if name == "heads" else set()
        others = {"_tables", "_precedence", "_identity", "_renames"}
        assert set(vars(owner)) - others == {*owner.SAVED} | derived[name] | arrays.get(name, set()) | numbers, name


def test_a_process_continues_from_the_file(store: SqliteStore, path: Path) -> None:
    graph = open_kept(store, path)
    fill_graph(graph)
    assert graph.keep_index()
    assert not graph.keep_index(), "nothing has changed since"
    commit_statements(graph, state_lineage(build_flow("c.x", "d.x"), scope="three"), state_title("kd_nr", "customer number"))
    again = open_kept(store, path)
    assert again.index.revision == store.read_revision()
    assert again.index.dump() == graph.index.dump()
    graph.prepare_titles()
    again.prepare_titles()
    assert again.titles.collect(1) == graph.titles.collect(1) != {}
    assert path.with_name("graph.db.index").stat().st_mode & 0o777 == 0o600


def test_two_processes_change_pages_of_their_own(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_state, "SPARE_ROWS", 10_000)
    fill_graph(graph := open_kept(store, path))
    graph.keep_index()
    one, other = open_kept(store, path), open_kept(store, path)
    before, data = other.index.dump(), path.with_name("graph.db.index").read_bytes()
    commit_statements(one, state_lineage(build_flow("a.x", "d.x"), scope="three"))
    assert one.index._tables.nodes.kind.base is not None, "a few more rows do not have the arrays copied"
    assert other.index.dump() == before != one.index.dump()
    assert path.with_name("graph.db.index").read_bytes() == data


def expect_rebuilt(
    store: SqliteStore, path: Path, reason: str, caplog: pytest.LogCaptureFixture, precedence: Precedence | None = None
) -> None:
    """The file is not used, and the index is right."""
    caplog.clear()
    kept = Snapshots(path.with_name("graph.db.index"))
    graph = LiveGraph.open(store, precedence, snapshots=kept)
    assert reason in caplog.text
    assert graph.index.dump() == LiveGraph.open(store, precedence).index.dump()
    assert kept.is_due(graph.index)


def test_a_file_that_does_not_fit_is_not_used(
    store: SqliteStore, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_graph(graph := open_kept(store, path))
    graph.keep_index()
    expect_rebuilt(store, path, "precedence", caplog, Precedence(structure=("openlineage", "person")))
    file = path.with_name("graph.db.index")
    with closing(SqliteStore(str(tmp_path / "other.db"))) as other:
        fill_graph(LiveGraph.open(other))
        (tmp_path / "other").mkdir()
        kept = (tmp_path / "other" / "graph.db.index").write_bytes(file.read_bytes())
        assert kept
        (tmp_path / "other" / "graph.db.index").chmod(0o600)
        expect_rebuilt(other, tmp_path / "other" / "graph.db", "another store", caplog)
    file.chmod(0o644)
    expect_rebuilt(store, path, "others may read", caplog)
    file.chmod(0o600)
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "compute_code_digest", lambda: "newer")
        expect_rebuilt(store, path, "another version", caplog)
    link = path.with_name("graph.db.index")
    link.rename(tmp_path / "moved")
    link.symlink_to(tmp_path / "moved")
    expect_rebuilt(store, path, "", caplog)


def test_a_restored_backup_is_another_state(store: SqliteStore, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Even when its revision has passed that of the file."""
    fill_graph(graph := open_kept(store, path))
    graph.keep_index()
    back_up_file(str(path), tmp_path / "backup.db")
    commit_statements(graph, state_lineage(build_flow("a.x", "lost.x"), scope="lost"))
    again = open_kept(store, path)
    again.snapshots = Snapshots(path.with_name("graph.db.index"))
    assert again.keep_index(), "by a process that knows of no file"
    with closing(SqliteStore(str(tmp_path / "backup.db"))) as restored:
        theirs = LiveGraph.open(restored)
        for number in range(5):
            commit_statements(theirs, state_lineage(build_flow("a.x", f"new.c{number}"), scope=f"new{number}"))
        (tmp_path / "backup.db.index").write_bytes(path.with_name("graph.db.index").read_bytes())
        (tmp_path / "backup.db.index").chmod(0o600)
        caplog.clear()
        opened = LiveGraph.open(restored, snapshots=Snapshots(tmp_path / "backup.db.index"))
        assert "another store" in caplog.text
        assert opened.index.dump() == theirs.index.dump()


def test_damage_is_found(store: SqliteStore, path: Path) -> None:
    """One bit of the file is another, or the file ends earlier: it is not used, or nothing that was written is different."""
    fill_graph(graph := open_kept(store, path))
    graph.keep_index()
    file = path.with_name("graph.db.index")
    data, expected, refused = file.read_bytes(), graph.index.dump(), 0
    used = np.flatnonzero(np.frombuffer(data, np.uint8))
    chance = Random(1)
    for _ in range(FLIPS):
        changed = bytearray(data)
        changed[int(used[chance.randrange(len(used))])] ^= 1 << chance.randrange(8)
        if chance.random() < 0.1:
            del changed[chance.randrange(len(changed)) :]
        file.write_bytes(changed)
        found = Snapshots(file).restore(store, Precedence())
        refused += found is None
        assert found is None or found.lineage.dump() == expected
    assert refused == FLIPS, "all that is not zero means something"
    for content in (b"", b"meshline index 1\n", b"\0" * 100_000, data[:1000]):
        file.write_bytes(content)
        assert Snapshots(file).restore(store, Precedence()) is None


def test_one_process_writes_at_a_time(store: SqliteStore, path: Path) -> None:
    fill_graph(graph := open_kept(store, path))
    file = path.with_name("graph.db.index")
    with closing(SnapshotWriter(file)):
        with pytest.raises(Busy):
            SnapshotWriter(file)
        assert not graph.keep_index()
        assert not file.exists()
    assert not [*path.parent.glob("*.new")]
    assert graph.keep_index()


KILLED = """
import os, signal, sys
from pathlib import Path
from meshline.graph import index_file
from meshline.graph.index import snapshot_file
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.sqlite import SqliteStore

index_file.LEAST_HEADS = 0
steps = int(sys.argv[2])

def count(name, real):
    def step(*given):
        global steps
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given)
    return step

snapshot_file._write_all = count("write", snapshot_file._write_all)
snapshot_file.os.fsync = count("fsync", os.fsync)
Path.replace = count("replace", Path.replace)
index_file._add_token = count("token", index_file._add_token)
store = SqliteStore(sys.argv[1])
graph = LiveGraph.open(store, snapshots=index_file.Snapshots(Path(sys.argv[1] + ".index")))
assert graph.keep_index()
"""


def test_a_process_that_is_killed_while_it_writes_harms_nothing(store: SqliteStore, path: Path) -> None:
    fill_graph(graph := open_kept(store, path))
    assert graph.keep_index()
    expected, file, killed = graph.index.dump(), path.with_name("graph.db.index"), 0
    for steps in range(0, 260, choose_size(85, 3)):
        file.unlink(missing_ok=True)
        ended = subprocess.run([sys.executable, "-c", KILLED, str(path), str(steps)], cwd=ROOT, check=False)
        assert ended.returncode in (0, -signal.SIGKILL)
        killed += ended.returncode != 0
        assert open_kept(store, path).index.dump() == expected
    assert killed


def test_a_place_that_cannot_be_written_is_no_failure(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = LiveGraph.open(store, snapshots=Snapshots(path.parent / "absent" / "index"))
    fill_graph(graph)
    assert not graph.keep_index()
    assert "the next start takes longer: No such file or directory" in caplog.text

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(snapshot_file, "_write_all", fail)
    graph = open_kept(store, path)
    assert not graph.keep_index()
    assert "No space left on device" in caplog.text
    assert not [*path.parent.glob("*.index*")]
    assert not graph.keep_index(), "not again at once"
    commit_statements(graph, state_lineage(build_flow("c.x", "e.x"), scope="more"))


def test_tokens_of_old_files_are_forgotten(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_TOKENS", 2)
    fill_graph(graph := open_kept(store, path))
    tokens: list[Sequence[str]] = []
    for number in range(3):
        commit_statements(graph, state_lineage(build_flow("c.x", f"e.c{number}"), scope=f"more{number}"))
        graph.keep_index()
        tokens.append(read_tokens(store))
    assert [len(one) for one in tokens] == [1, 2, 2]
    assert all(later[:-1] == earlier[-1:] for earlier, later in pairwise(tokens))
    store.write_setting(keeping.TOKENS, "no JSON")
    assert Snapshots(path.with_name("graph.db.index")).restore(store, Precedence()) is None


def test_a_file_of_half_the_store_is_not_used(store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill_graph(graph := open_kept(store, path))
    graph.keep_index()
    for number in range(5):
        commit_statements(graph, state_lineage(build_flow("c.x", f"e.c{number}"), scope=f"more{number}"))
    expect_rebuilt(store, path, "most of the store is newer", caplog)


def test_an_array_that_is_missing_is_found() -> None:
    parts = LineageIndex.load([], 0).collect_parts()
    for name in ("nodes.kind", "counts", "heads.digests", index_state.STATE):
        with pytest.raises(Unusable):
            LineageIndex.restore({one: part.array for one, part in parts.items() if one != name}, 0, Precedence())
