"""`meshline search TEXT`, `meshline search --evaluate`, `meshline search --propose-synonyms`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import Kinds, Limit, ListFormat, Server, Store, TextFormat, get_kind_names

if TYPE_CHECKING:
    from meshline.cli.terminal import Line
    from meshline.graph.model import Json
    from meshline.graph.queries.learned_synonyms import LearnedPair
    from meshline.graph.queries.search_evaluation import Evaluation

_NO_TEXTS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})  # words with a meaning of their own in YAML
EVALUATED = 500  # descriptions of each kind


def search(
    text: Annotated[
        str | None,
        typer.Argument(help="Words, abbreviations or beginnings of words; words in double quotes must be there.", metavar="TEXT"),
    ] = None,
    *,
    kind: Kinds = None,
    limit: Limit = 25,
    evaluate: Annotated[
        bool,
        typer.Option(
            "--evaluate",
            help="Instead of a search: how often the assets of a store are found by their own descriptions, when search may look at names"
            f" only. Asks for up to {EVALUATED} descriptions of each kind.",
        ),
    ] = False,
    propose_synonyms: Annotated[
        bool,
        typer.Option(
            "--propose-synonyms",
            help="Instead of a search: the synonyms that searches of a store learn from its titles, as a part of a mesh file.",
        ),
    ] = False,
    vectors: Annotated[
        str | None,
        typer.Option(
            help="Compare the vectors of names, too: `off`, `wordllama` (extra `semantic`), `folder:PATH`, or the address of your own"
            " server. By default the setting search_vectors.",
            metavar="MODEL",
        ),
    ] = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Find assets by names, abbreviations, descriptions and tags."""
    if propose_synonyms:
        if text is not None or server is not None or evaluate:
            raise typer.BadParameter("--propose-synonyms takes a store, and neither TEXT, --server nor --evaluate")
        _propose_synonyms(store, format)
        return
    if evaluate:
        if text is not None or server is not None:
            raise typer.BadParameter("--evaluate takes a store, and neither TEXT nor --server")
        _evaluate(store, vectors, format)
        return
    if text is None:
        raise typer.BadParameter("a TEXT to search for is needed, --evaluate or --propose-synonyms")
    from meshline.cli.answer_types import Assets, format_assets
    from meshline.cli.client import convert_answer, open_client, read_query
    from meshline.cli.terminal import write_json, write_lines

    if server is not None and vectors is not None:
        raise typer.BadParameter("--vectors is of a store: a server has the setting search_vectors")
    with open_client(store, server, None if server is not None else _read_model(vectors)) as source:
        data = source.ask(read_query("search"), {"text": text, "kinds": get_kind_names(kind), "limit": limit})["search"]
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write_lines(format_assets(convert_answer(data, Assets), f"no asset has {text!r} in its names, descriptions or tags"))


def _propose_synonyms(store: str | None, form: TextFormat) -> None:
    from meshline.cli.store import open_graph
    from meshline.cli.terminal import Line, write_json, write_lines
    from meshline.graph.queries.learned_synonyms import learn_synonyms

    with open_graph(store, must_exist=True) as opened:
        opened.graph.prepare_titles()
        pairs = learn_synonyms(opened.graph, opened.graph.index)
    if form is TextFormat.JSON:
        write_json(
            [
                {
                    "term": " ".join(pair.written.term),
                    "word": pair.written.word,
                    "tables": pair.tables,
                    "example": pair.example.qualified_name,
                }
                for pair in pairs
            ]
        )
    elif pairs:
        lines = [f"  - [{_format_pair(pair)}] # {pair.tables} tables, as {pair.example.qualified_name}" for pair in pairs]
        write_lines(map(Line, ["synonyms:", *lines]))
    else:
        write_lines([Line("no synonyms are learned: no word of a name has the same words in its place in the titles of three tables")])


def _format_pair(pair: LearnedPair) -> str:
    """The terms, as a list in YAML: those that YAML would not read as texts are quoted."""
    terms = (" ".join(pair.written.term), pair.written.word)
    return ", ".join(f'"{term}"' if term in _NO_TEXTS else term for term in terms)


def _read_model(given: str | None) -> str:
    """The model of vectors that is given, else that of the settings."""
    from meshline.app.settings import load_settings

    return load_settings().search_vectors if given is None else given


def _evaluate(store: str | None, vectors: str | None, form: TextFormat) -> None:
    from meshline.cli.client import use_vectors
    from meshline.cli.store import open_graph
    from meshline.cli.terminal import write_json, write_lines
    from meshline.graph.queries.search_evaluation import evaluate_search

    with open_graph(store, must_exist=True) as opened, use_vectors(opened, store, _read_model(vectors)):
        index = opened.graph.index
        evaluations = evaluate_search(opened.graph, index, EVALUATED)
        names = {node: index.assets.get_key(node).qualified_name for found in evaluations for _, node in found.missed}
    if form is TextFormat.JSON:
        write_json([_build_row(found, names) for found in evaluations])
        return
    write_lines(line for found in evaluations for line in _format_evaluation(found, names))


def _build_row(found: Evaluation, names: Mapping[int, str]) -> dict[str, Json]:
    missed: list[Json] = [{"text": text, "asset": names[node]} for text, node in found.missed]
    return {
        "kind": found.kind.value,
        "vectors": found.with_vectors,
        "asked": found.asked,
        "found": found.found,
        "reciprocalRank": round(found.reciprocal, 3),
        "missed": missed,
    }


def _format_evaluation(found: Evaluation, names: Mapping[int, str]) -> Iterator[Line]:
    from meshline.cli.terminal import Line

    among = f"{found.found} of {found.asked} found among the first 10"
    yield Line(f"{found.kind.value}{' with vectors' if found.with_vectors else ''}: {among} (mean reciprocal rank {found.reciprocal:.3f})")
    for text, node in found.missed:
        yield Line(f"  not found: {names[node]} by {text!r}")
