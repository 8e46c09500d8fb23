"""The shape of the package, as CONTRIBUTING.md describes it: no circles of imports, a file is a noun and a concept."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import grimp
import networkx as nx
import numpy as np
import pytest
import typer

from meshline.cli.app import app
from meshline.graph.index import (
    Direction,
    LineageIndex,
    Survey,
    Traversal,
    restricted_index,
    restricted_lineage,
    restricted_names,
    restricted_ownership,
)
from meshline.graph.index.lineage_index import AssetFacet, ChangeFacet, LineageFacet, OwnershipFacet
from tests.conftest import LONGEST

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "meshline"

NOUNS = {"naming", "grouping", "routing"}  # end like a participle, and are words for a subject
SMALL = 60  # lines; what is smaller and has one importer belongs to that importer
ALONE = {  # although they are small
    "meshline.api.front_page": "a page, with its text",
    "meshline.cli.mcp": "one command, one file",
}
FACETS = ("assets", "ownership", "lineage", "changes")  # of LineageIndex
MOST_METHODS = 20
INDEX = "meshline.graph.index"
OPEN = {  # the modules of the index that other rooms may import: no tables, and nothing that answers with one
    *(INDEX, f"{INDEX}.lineage_index", f"{INDEX}.restricted_index", f"{INDEX}.results", f"{INDEX}.integrity"),
    *(f"{INDEX}.name_vectors", f"{INDEX}.text_model", f"{INDEX}.embedding_server", f"{INDEX}.vector_file", f"{INDEX}.hidden_passages"),
    *(f"{INDEX}.title_pairs", f"{INDEX}.snapshot_file"),
    *(f"{INDEX}.kernels.jit", f"{INDEX}.kernels.kernel_cache"),
}
TABLES = {f"{INDEX}.{name}" for name in ("arrays", "index_tables", "heads", "loader", "identity", "renames", "ownership", "lookup")}
NAMED_BY_OTHERS = {
    "main",
    "command",
    "on_execute",
    "settings_customise_sources",
    *("connection_made", "data_received", "connection_lost"),  # asyncio.Protocol
    *("on_message_begin", "on_header", "on_headers_complete", "on_body", "on_message_complete"),  # httptools
    *("startup", "shutdown"),  # uvicorn.Server
    "emit",  # logging.Handler
    "_config_headers",
    "predict",  # mlflow.pyfunc.PythonModel
}  # the entry point, and what libraries call
SHARED = {  # names that mean the same wherever they are
    *(
        "app",
        "base",
        "context",
        "errors",
        "store",
        "connection",
        "reader",
        "integrity",
        "pruner",
        "packed_times",
    ),  # parts that several rooms have
    *("source", "parse", "facts", "names"),  # parts of a source
    *(
        "audit",
        "check",
        "contracts",
        "coverage",
        "identity",
        "impact",
        "lineage",
        "mesh",
        "ownership",
        "quality",
        "replay",
        "rules",
        "usage",
    ),
    *("events", "paths", "products", "runs"),
    *("naming_rules", "search", "serve", "sources", "sync"),  # a subject: its index, its question, its GraphQL types, its command
}


@pytest.fixture(scope="module")
def imports() -> nx.DiGraph[str]:
    """All imports within the package, also those in functions and for types alone."""
    found = grimp.build_graph("meshline", cache_dir=None)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(found.modules)
    graph.add_edges_from((one, other) for one in found.modules for other in found.find_modules_directly_imported_by(one))
    return graph


def find_path(module: str) -> Path:
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
        if find_path(module).name != "__init__.py"
        and len(importers := list(imports.predecessors(module))) == 1
        and len(find_path(module).read_text("utf-8").splitlines()) < SMALL
    }
    assert {module: by for module, by in small.items() if module not in ALONE} == {}, "make each a part of its only importer"
    assert [module for module in ALONE if module not in small] == [], "no longer small, or no longer imported once: leave it out of ALONE"


def test_a_file_name_has_one_meaning(imports: nx.DiGraph[str]) -> None:
    places: dict[str, list[str]] = {}
    for module in imports:
        if find_path(module).name != "__init__.py":
            places.setdefault(module.rpartition(".")[2], []).append(module)
    twice = {name: modules for name, modules in places.items() if len(modules) > 1 and name not in SHARED}
    assert twice == {}, "a name of a file has one meaning in the repository"


def list_functions(module: ast.Module) -> Iterator[str]:
    """The names of its functions and methods that a verb has to begin: not of properties, fields of GraphQL, or what a base class names."""

    def walk(node: ast.AST, *, fields: bool) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                types = " ".join(ast.unparse(decorator) for decorator in child.decorator_list)
                yield from walk(child, fields=fields or "strawberry" in types or "documented" in types)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                decorators = " ".join(ast.unparse(decorator) for decorator in child.decorator_list)
                noun = re.search(r"property|setter|strawberry|field|override|\.command|\.callback", decorators)
                if not (noun or child.name.startswith("__") or (fields and not child.name.startswith("_"))):
                    yield child.name
                yield from walk(child, fields=fields)
            else:
                yield from walk(child, fields=fields)

    return walk(module, fields=False)


def list_commands(app: typer.Typer) -> Iterator[str]:
    """The names of the functions that are commands: what a user types names them."""
    yield from (command.callback.__name__ for command in app.registered_commands if command.callback is not None)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from list_commands(group.typer_instance)


def list_programs() -> list[Path]:
    """The files of Python that are ours: the package, the benchmarks, and scripts, of which some have no ending."""
    files = sorted(path for folder in (PACKAGE, ROOT / "benchmarks", ROOT / "scripts") for path in folder.rglob("*") if path.is_file())
    return [path for path in files if path.suffix == ".py" or (not path.suffix and b"python" in path.read_bytes().partition(b"\n")[0])]


def test_functions_are_verbs() -> None:
    """A new verb is a line in verbs.txt; a noun, a participle or a preposition is no name for a function."""
    verbs = (Path(__file__).parent / "verbs.txt").read_text("utf-8").split()
    assert verbs == sorted(set(verbs))
    others = {*NAMED_BY_OTHERS, *list_commands(app)}
    programs = list_programs()
    assert {"make-docs", "neo4j.py", "__main__.py", "lineage_index.py"} <= {path.name for path in programs}
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in programs
        for name in list_functions(ast.parse(path.read_text("utf-8")))
        if name.strip("_").partition("_")[0] not in verbs and name not in others
    ]
    assert found == []


def list_public_members(cls: type) -> dict[str, object]:
    """The public methods and properties of a class, as functions; of those that it inherits from classes of ours, too."""
    found: dict[str, object] = {}
    for base in cls.__mro__:
        if base.__module__.startswith("meshline."):
            for name, member in vars(base).items():
                function = getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
                if not name.startswith("_") and inspect.isfunction(function):
                    found.setdefault(name, function)
    return found


def list_facets() -> dict[str, type]:
    index = LineageIndex(0)
    return {name: type(getattr(index, name)) for name in FACETS}


def list_classes(hint: object) -> Iterator[type]:
    """The classes of ours in a type, whatever it is nested in."""
    if isinstance(hint, type) and hint.__module__.startswith("meshline."):
        yield hint
    for part in typing.get_args(hint):
        yield from list_classes(part)


def list_answers(cls: type) -> Iterator[type]:
    """The classes of the values that a class hands out: by its public methods, properties and attributes."""
    hints = [typing.get_type_hints(member).get("return") for member in list_public_members(cls).values()]
    hints += [hint for name, hint in typing.get_type_hints(cls).items() if not name.startswith("_")]
    return (found for hint in hints for found in list_classes(hint))


@pytest.mark.parametrize("facet", FACETS)
def test_a_facet_of_the_index_is_small(facet: str) -> None:
    members = list_public_members(list_facets()[facet])
    assert 0 < len(members) <= MOST_METHODS, sorted(members)
    attributes = vars(getattr(LineageIndex(0), facet))
    assert [name for name in attributes if not name.startswith("_")] == []


SAME_FOR_ALL = {  # what a restricted index answers as any other: about assets that the caller has found, or by what is restricted already
    "LineageIndex": {
        *("load", "restore", "collect_parts", "precedence", "count_heads", "is_large", "has_names", "applied"),
        *("list_digests", "list_differing_scopes", "turn_back", "confirm", "count_private_bytes", "check_room"),
        "revision",
        "version",
        "as_of",
        "known_later",
        "find_named",
        "list_folded_names",
        "count_of_kind",
        "compute_once",
    },
    "AssetFacet": {
        *("find", "find_by_key", "find_ending", "get_key", "get_column_name", "get_label", "get_kind", "get_representative", "list_names"),
        *("is_visible", "list_of_kind", "list_columns", "get_dataset", "is_inferred", "is_unlisted", "is_described", "find_position"),
        "list_tags",
    },
    "OwnershipFacet": {"get_attributes", "list_linked", "mark_linked"},
    "LineageFacet": {
        *("mark_seen", "find_flow_scopes", "get_text", "roll_up", "number_distinct", "get_kinds", "get_datasets", "get_representatives"),
    },
    "ChangeFacet": {
        *("get_scope", "list_fact_names", "list_former_names"),
        *("find_unused_scope_id", "list_scopes_of", "count_bytes", "count_nodes", "count_unused"),
    },
    "Traversal": {"build_flow_steps"},
    "Survey": {"described", "written", "fed", "flows", "count_tagged", "read_texts"},
}


@pytest.mark.parametrize(
    ("restricted", "base"),
    [
        (restricted_index.RestrictedIndex, LineageIndex),
        (restricted_names.RestrictedAssets, AssetFacet),
        (restricted_ownership.RestrictedOwnership, OwnershipFacet),
        (restricted_lineage.RestrictedLineage, LineageFacet),
        (restricted_index.RestrictedChanges, ChangeFacet),
        (restricted_lineage.RestrictedTraversal, Traversal),
        (restricted_names.RestrictedSurvey, Survey),
    ],
)
def test_every_question_to_the_index_has_been_considered_for_a_restricted_one(restricted: type, base: type) -> None:
    """A new method of a facet is overridden for viewers who may not see everything, or in the table above."""
    asked = {name for name in list_public_members(base) if name in vars(base)}
    assert sorted(asked - vars(restricted).keys() - SAME_FOR_ALL[base.__name__]) == []
    assert sorted(SAME_FOR_ALL[base.__name__] & vars(restricted).keys()) == [], "these are overridden"


def test_the_index_has_facets_and_no_tables() -> None:
    """Whatever is reached from an index by public names, none of it is a class of the modules that keep the tables."""
    attributes = {name for name in vars(LineageIndex(0)) if not name.startswith("_")}
    assert attributes == set(FACETS)
    seen: set[type] = set()
    todo: list[type] = [LineageIndex, *list_facets().values()]
    while todo:
        cls = todo.pop()
        if cls not in seen:
            seen.add(cls)
            todo += list_answers(cls)
    tables = {cls.__name__ for cls in seen if cls.__module__ in TABLES}
    assert {cls.__name__ for cls in seen} >= {"Traversal", "FlowTable", "Survey", "Spread", "Trail"}, "the walk sees what facets hand out"
    assert tables == set()
    index = LineageIndex(0)
    nodes = np.empty(0, np.int32)
    answers = (
        index.lineage.traverse([], Direction.DOWNSTREAM),
        index.lineage.build_spread(nodes, possible=True),
        index.assets.survey(),
        index.changes.open_trail(),
    )
    kept = [value for answer in answers for name, value in vars(answer).items() if not name.startswith("_")]
    assert [value for value in kept if type(value).__module__ in TABLES] == []


def test_the_tables_of_the_index_are_not_imported_elsewhere(imports: nx.DiGraph[str]) -> None:
    inside = {module for module in imports if module == INDEX or module.startswith(f"{INDEX}.")}
    assert inside >= TABLES
    found = sorted((by, module) for by, module in imports.edges if module in inside - OPEN and by not in inside)
    assert found == [], "ask a facet of LineageIndex"


def test_no_private_part_of_the_index_is_read_elsewhere() -> None:
    """By name: what the index and its facets keep, on anything but `self`."""
    index = LineageIndex(0)
    own = {name for part in (index, *(getattr(index, facet) for facet in FACETS)) for name in vars(part) if name.startswith("_")}
    assert "_tables" in own
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if (PACKAGE / "graph" / "index") not in path.parents
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in own and not is_self(node.value)
    ]
    assert found == []


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def test_the_test_files_that_begin_first_exist() -> None:
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []
