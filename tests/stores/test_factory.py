"""Addresses of stores."""

from __future__ import annotations

import builtins
import sys
from contextlib import closing
from pathlib import Path

import pytest

from meshline.errors import InvalidInput, MissingExtra
from meshline.graph.store.factory import open_store
from tests.stores.statements import build_statement, commit_statements


@pytest.mark.parametrize("url", [":memory:", "sqlite://:memory:", "sqlite:///:memory:"])
def test_in_memory(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(open_store(url)) as store:
        assert commit_statements(store, build_statement("A", 1)).revision == 1
    assert list(tmp_path.iterdir()) == []


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url, path in [
        ("sqlite:///mesh.db", "mesh.db"),
        (f"sqlite:///{tmp_path}/two.db", "two.db"),
        ("sqlite:///a%20b.db", "a b.db"),
    ]:
        with closing(open_store(url)) as store:
            commit_statements(store, build_statement("A", 1))
        assert (tmp_path / path).stat().st_size > 0
        with closing(open_store(url)) as store:
            assert store.read_revision() == 1


@pytest.mark.parametrize(
    "url", ["", "mesh.db", "/tmp/mesh.db", "sqlite:mesh.db", "sqlite://mesh.db", "sqlite:///", "postgres://x", "://x", "sqlite:///a%00"]
)
def test_what_is_no_address_is_refused_with_the_forms_that_are(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"sqlite:///relative\.db"):
        open_store(url)


def test_neo4j_without_the_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name == "neo4j" or name.startswith(("neo4j.", "meshline.graph.store.neo4j"))]:
        monkeypatch.delitem(sys.modules, module)
    real = builtins.__import__

    def import_without_driver(name: str, *args: object, **kwargs: object) -> object:
        if name == "neo4j" or name.startswith("neo4j."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", import_without_driver)
    with pytest.raises(MissingExtra, match=r"needs the extra 'neo4j': pip install 'meshline\[neo4j\] @ "):
        open_store("neo4j://user:secret@127.0.0.1:7687")
