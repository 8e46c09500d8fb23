"""The shape of the package, as CONTRIBUTING.md describes it: no circles of imports, a file is a noun and a concept."""

from __future__ import annotations

import re
from pathlib import Path

import grimp
import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "meshline"

NOUNS = {"naming", "grouping", "routing"}  # end like a participle, and are words for a thing
SMALL = 60  # lines; what is smaller and has one importer belongs to that importer
ALONE = {  # although they are small
    "meshline.api.front_page": "a page, with its text",
    "meshline.api.rest.check": "one address, one file",
    "meshline.cli.search": "one command, one file",
}
SHARED = {  # names that mean the same wherever they are
    *("app", "base", "context", "errors", "store", "connection", "reader", "integrity"),  # parts that several rooms have
    *("source", "parse", "facts", "names"),  # parts of a source
    *("audit", "check", "contracts", "coverage", "identity", "impact", "lineage", "mesh", "ownership", "quality", "replay", "rules"),
    *("search", "serve", "sources", "sync"),  # a subject: its index, its question, its GraphQL types, its command
}


@pytest.fixture(scope="module")
def imports() -> nx.DiGraph[str]:
    """All imports within the package, also those in functions and for types alone."""
    found = grimp.build_graph("meshline", cache_dir=None)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(found.modules)
    graph.add_edges_from((one, other) for one in found.modules for other in found.find_modules_directly_imported_by(one))
    return graph


def path_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_no_circles(imports: nx.DiGraph[str]) -> None:
    circles = [sorted(group) for group in nx.strongly_connected_components(imports) if len(group) > 1]
    assert circles == [], "modules that import each other: let one own what both need"


def test_files_are_nouns(imports: nx.DiGraph[str]) -> None:
    names = {module.rpartition(".")[2] for module in imports}
    assert [name for name in sorted(names - NOUNS) if re.search(r"(ing|[^e]ed)$", name)] == []


def test_a_concept_is_a_file(imports: nx.DiGraph[str]) -> None:
    small = {
        module: importers[0]
        for module in imports
        if path_of(module).name != "__init__.py"
        and len(importers := list(imports.predecessors(module))) == 1
        and len(path_of(module).read_text("utf-8").splitlines()) < SMALL
    }
    assert {module: by for module, by in small.items() if module not in ALONE} == {}, "make each a part of its only importer"
    assert [module for module in ALONE if module not in small] == [], "no longer small, or no longer imported once: leave it out of ALONE"


def test_a_name_means_one_thing(imports: nx.DiGraph[str]) -> None:
    places: dict[str, list[str]] = {}
    for module in imports:
        if path_of(module).name != "__init__.py":
            places.setdefault(module.rpartition(".")[2], []).append(module)
    twice = {name: modules for name, modules in places.items() if len(modules) > 1 and name not in SHARED}
    assert twice == {}, "a name of a file means one thing in the repository"
