"""Events from files, whole and broken."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.ingest.openlineage import event_files
from meshline.ingest.openlineage.event_files import read_events

ONE, TWO = b'{"a": 1}', b'{"b": 2}'


def list_found(path: Path | str) -> list[tuple[str, object]]:
    """Place within the file (or the whole place) and JSON value, or None for a refusal."""
    result: list[tuple[str, object]] = []
    for item in read_events([str(path)]):
        if isinstance(item, InvalidInput):
            result.append((item.where.removeprefix(str(path)), None))
        else:
            place, body = item
            try:
                result.append((place.removeprefix(str(path)), json.loads(body)))
            except ValueError:
                result.append((place.removeprefix(str(path)), body))
    return result


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"\n\n", []),
        (ONE, [(":1", {"a": 1})]),
        (b"\n" + ONE + b"\n\n" + TWO + b"\n", [(":2", {"a": 1}), (":4", {"b": 2})]),
        (b"\xef\xbb\xbf" + ONE + b"\r\n" + TWO, [(":1", {"a": 1}), (":2", {"b": 2})]),
        (ONE + b"\nbroken\n" + TWO, [(":1", {"a": 1}), (":2", b"broken"), (":3", {"b": 2})]),
        (b"{broken\n" + ONE + b"\n" + TWO, [(":1", b"{broken"), (":2", {"a": 1}), (":3", {"b": 2})]),
        (b"broken", [(":1", b"broken")]),
        (b"[" + ONE + b", " + TWO + b"]", [("[0]", {"a": 1}), ("[1]", {"b": 2})]),
        (b"[\n" + ONE + b",\n" + TWO + b"\n]\n", [("[0]", {"a": 1}), ("[1]", {"b": 2})]),
        (b"[\n" + ONE + b"\n]", [("[0]", {"a": 1})]),
        (json.dumps({"a": {"b": [1, 2]}}, indent=2).encode(), [(":1", {"a": {"b": [1, 2]}})]),
        (b"[" + ONE + b"\n" + TWO, [(":1", b"[" + ONE), (":2", {"b": 2})]),
    ],
)
def test_forms(tmp_path: Path, text: bytes, expected: list[tuple[str, object]]) -> None:
    plain, packed = tmp_path / "x.json", tmp_path / "x.gz"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    assert list_found(plain) == expected
    assert list_found(packed) == expected


def test_folders_are_searched_and_other_files_left_alone(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.ndjson.gz").write_bytes(gzip.compress(TWO))
    (tmp_path / "a.json").write_bytes(ONE)
    (tmp_path / "README.md").write_bytes(b"# no")
    assert [json.loads(item[1]) for item in read_events([str(tmp_path)]) if not isinstance(item, InvalidInput)] == [{"a": 1}, {"b": 2}]


def test_a_file_that_cannot_be_read_is_one_refusal(tmp_path: Path) -> None:
    cut = tmp_path / "cut.json.gz"
    cut.write_bytes(gzip.compress(ONE * 1000)[:-20])
    assert list_found(cut) == [("", None)]
    assert list_found(tmp_path / "absent") == [("", None)]


def test_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(ONE + b"\n" + TWO)
    with path.open("rb") as stream:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        assert [place for place, _ in list_found("-")] == ["<stdin>:1", "<stdin>:2"]


def test_a_body_that_decompresses_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "MAX_DOCUMENT", 1000)
    monkeypatch.setattr(event_files, "MAX_UNPACKED", 5000)
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(b"[" + b" " * 100_000))
    assert list_found(bomb) == [(":1", None)]
    lines = tmp_path / "lines.gz"
    lines.write_bytes(gzip.compress((ONE + b"\n") * 1000))
    assert list_found(lines)[-1][1] is None
    assert len(list_found(lines)) < 600
    document = tmp_path / "document.json"
    document.write_bytes(b"[\n" + b" 1,\n" * 1000)
    assert list_found(document) == [("", None)]
