"""Vectors of names in a file: what is made once is not made again, and no file can do harm."""

from __future__ import annotations

import multiprocessing
import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from meshline.graph.index import name_vectors, vector_file
from meshline.graph.index.name_vectors import NO_ROOM, NOT_YET, NameVectors
from meshline.graph.index.text_model import I8, TextModel, read_model
from meshline.graph.index.vector_file import Owner, compute_keys, find_keys, order_vectors, read_vectors, write_vectors

NAMES = [f"name_{number}" for number in range(50)]


class CountingModel(TextModel):
    """A real model that remembers which texts it was asked for."""

    def __init__(self, model: TextModel, digest: str | None = None) -> None:
        super().__init__(model.name, digest or model.digest, model._table, model._tokenizer)
        self.asked: list[str] = []

    @property
    def sample(self) -> I8:
        found: I8 = super().compute_vectors(["salary"])[0]
        return found

    def compute_vectors(self, texts: Sequence[str], seconds: float = 0.0) -> I8:
        self.asked += texts
        return super().compute_vectors(texts, seconds)


@pytest.fixture(scope="module")
def real() -> TextModel:
    found = read_model("wordllama")
    assert found is not None
    return found


@pytest.fixture
def model(real: TextModel) -> CountingModel:
    return CountingModel(real)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mesh [1].db.vectors"


def fill_file(model: TextModel, file: Path, names: Sequence[str] = NAMES, most: int = 1_000) -> NameVectors:
    vectors = NameVectors(model, file, most)
    vectors.add(names)
    vectors.save(now=True)
    return vectors


def test_the_next_process_makes_no_vector_again(model: CountingModel, file: Path) -> None:
    first = fill_file(model, file)
    model.asked.clear()
    second = NameVectors(model, file, 1_000)
    second.add([*NAMES, "nameOther", "name_1x"])
    assert model.asked == ["name other", "name 1 x"]
    for name in NAMES:
        assert (first.compare(name, first.find_rows(NAMES)) == second.compare(name, second.find_rows(NAMES))).all()
    assert (second.find_rows([*NAMES, "nameOther"]) >= 0).all()


def test_only_its_owner_may_read_the_file_and_names_are_not_in_it(model: CountingModel, file: Path) -> None:
    old = os.umask(0)
    try:
        fill_file(model, file, ["secret_salary", "hidden_merger"])
    finally:
        os.umask(old)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert b"merger" not in content
    assert b"secret" not in content
    assert [one.name for one in file.parent.iterdir()] == [file.name], "nothing is left beside it"


def spoil_mode(file: Path) -> None:
    file.chmod(0o644)


def spoil_link(file: Path) -> None:
    target = file.with_name("target")
    file.rename(target)
    file.symlink_to(target)


def spoil_kind(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def replace_bytes(file: Path, place: int, new: bytes) -> None:
    content = bytearray(file.read_bytes())
    content[place : place + len(new)] = new
    file.write_bytes(content)


def cut_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def change_count(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"count":50', b'"count":99999999999999'))


SPOILED = {
    "empty": lambda file: file.write_bytes(b""),
    "other": lambda file: file.write_bytes(b"PK\x03\x04" + bytes(10_000)),
    "no header": lambda file: file.write_bytes(b"meshline vectors 1\n" + b"[" * 200_000),
    "half": cut_half,
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"x"),
    "a changed key": lambda file: replace_bytes(file, file.stat().st_size // 20, b"\x99\x98"),
    "a changed vector": lambda file: replace_bytes(file, file.stat().st_size - 100, b"\x99\x98"),
    "count": change_count,
    "mode": spoil_mode,
    "link": spoil_link,
    "pipe": spoil_kind,
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_damaged_or_foreign_file_is_ignored_and_written_again(
    model: CountingModel, file: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    fill_file(model, file)
    SPOILED[how](file)
    model.asked.clear()
    again = fill_file(model, file)
    assert len(model.asked) == len(NAMES)
    assert (again.find_rows(NAMES) >= 0).all()
    assert f"the vectors in {file} are not used" in caplog.text
    caplog.clear()
    model.asked.clear()
    fill_file(model, file)
    assert model.asked == []
    assert caplog.text == ""
    assert stat.S_IMODE(file.lstat().st_mode) == 0o600


def test_vectors_of_another_model_are_not_used(real: TextModel, model: CountingModel, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill_file(model, file)
    other = CountingModel(real, "0" * 64)
    fill_file(other, file)
    assert len(other.asked) == len(NAMES)
    assert "of another model" in caplog.text
    owner = Owner(other.name, other.digest, real.compute_vectors(["another text"])[0])
    assert read_vectors(file, owner, 1_000) is None
    assert "makes other vectors now" in caplog.text


def test_there_are_never_more_than_the_bound(model: CountingModel, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    vectors = fill_file(model, file, NAMES, most=20)
    rows = vectors.find_rows(NAMES)
    assert (rows >= 0).sum() == 20
    assert (rows[20:] == NO_ROOM).all()
    assert vectors.is_full
    assert "30 more names have no vectors: search_vectors_most is 20" in caplog.text
    size = file.stat().st_size
    others = [f"other_{number}" for number in range(60)]
    second = fill_file(model, file, [*NAMES[:5], *others], most=20)  # what no name has any more makes room
    rows = second.find_rows([*NAMES[:5], *others])
    assert (rows[:20] >= 0).all()
    assert (rows[20:] == NO_ROOM).all()
    assert len(set(rows[:20].tolist())) == 20
    alone = NameVectors(model)
    alone.add(others[:15])
    for name in others[:15]:
        assert (second.compare(name, rows[5:20]) == alone.compare(name, alone.find_rows(others[:15]))).all()
    assert file.stat().st_size == size
    vectors.add(["one_more"])
    assert vectors.find_rows(["one_more"])[0] == NO_ROOM
    assert NameVectors(model, file, 21).find_rows(["never_added"])[0] == NOT_YET


def test_a_file_with_more_than_the_bound_is_not_read(model: CountingModel, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill_file(model, file)
    fill_file(model, file, NAMES, most=10)
    assert "search_vectors_most is 10" in caplog.text


def run_process(file: str, begin: int, started: object) -> None:
    model = read_model("wordllama")
    assert model is not None
    started.wait()  # type: ignore[attr-defined]
    for number in range(5):
        vectors = NameVectors(model, Path(file), 1_000)
        vectors.add([f"name_{begin + number * 10 + one}" for one in range(10)])
        vectors.save(now=True)


def test_processes_that_write_at_once_leave_a_sound_file(model: CountingModel, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = multiprocessing.get_context("spawn")
    started = context.Barrier(3)
    processes = [context.Process(target=run_process, args=(str(file), begin, started)) for begin in (0, 1_000)]
    for process in processes:
        process.start()
    started.wait(60)
    owner = Owner(model.name, model.digest, model.sample)
    while any(process.is_alive() for process in processes):
        read_vectors(file, owner, 1_000)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    found = read_vectors(file, owner, 1_000)
    assert caplog.text == "", "no reader ever saw a part of a file"
    assert found is not None
    names = [f"name {number}" for begin in (0, 1_000) for number in range(begin, begin + 50)]
    places = find_keys(found.keys, compute_keys(names))
    assert (places >= 0).sum() >= 50, "at least all of the process that ended last"
    known = np.flatnonzero(places >= 0)
    assert (found.rows[places[known]] == model.compute_vectors([names[at] for at in known])).all()
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_threads_that_add_and_save_at_once(model: CountingModel, file: Path) -> None:
    vectors = NameVectors(model, file, 10_000)

    def run(begin: int) -> None:
        for number in range(20):
            vectors.add([f"name_{begin}_{number}_{one}" for one in range(10)])
            vectors.save(now=True)

    threads = [threading.Thread(target=run, args=(begin,)) for begin in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vectors.close()
    assert len(model.asked) == len(set(model.asked)) == 800
    found = read_vectors(file, Owner(model.name, model.digest, model.sample), 10_000)
    assert found is not None
    assert len(found.keys) == 800


def test_a_folder_that_cannot_be_written_is_no_failure(model: CountingModel, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    vectors = fill_file(model, tmp_path / "absent" / "mesh.db.vectors")
    assert (vectors.find_rows(NAMES) >= 0).all()
    assert "cannot be kept" in caplog.text


def test_what_a_killed_process_left_is_removed_later(model: CountingModel, file: Path) -> None:
    old, young = file.with_name(f"{file.name}.a.new"), file.with_name(f"{file.name}.b.new")
    for one in (old, young):
        one.write_bytes(b"half")
    os.utime(old, (0, 0))
    fill_file(model, file)
    assert not old.exists()
    assert young.exists(), "another process may be writing it"


def test_texts_with_one_key_are_one_vector() -> None:
    keys = compute_keys(["a", "b", "a", "ä\ud800", ""])
    vectors = order_vectors(keys, np.arange(5, dtype=np.int8)[:, None])
    assert len(vectors.keys) == 4
    assert find_keys(vectors.keys, compute_keys(["c"])).tolist() == [-1]
    assert find_keys(vectors.keys[:0], keys).tolist() == [-1] * 5
    assert (vectors.keys[find_keys(vectors.keys, keys)] == keys).all()


def test_a_failed_write_leaves_the_old_file(model: CountingModel, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_file(model, file)
    before = file.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vector_file, "_write_content", fail)
    owner = Owner(model.name, model.digest, model.sample)
    with pytest.raises(OSError, match="No space"):
        write_vectors(file, owner, order_vectors(compute_keys(["x"]), model.compute_vectors(["x"])), 1_000)
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_the_file_is_written_again_only_when_much_is_new(model: CountingModel, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_vectors, "_LEAST_NEW", 10)
    fill_file(model, file)
    before = file.read_bytes()
    vectors = NameVectors(model, file, 1_000)
    vectors.add([f"few_{number}" for number in range(9)])
    vectors.save()
    assert file.read_bytes() == before
    vectors.add(["one_more"])
    vectors.save()
    assert file.read_bytes() != before
