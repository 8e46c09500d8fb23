"""Statements by hand, and the heads that a store would make of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshline.graph.content import EMPTY, encode
from meshline.graph.index import LineageIndex
from meshline.graph.model import (
    JOB_OUTPUT,
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    FlowType,
    Json,
    Observation,
    Scope,
    Statement,
    build_column_key,
    build_dataset_key,
    build_intervals,
    build_job_key,
)
from meshline.graph.store.base import Changes, Head

NS = "db"


def ds(name: str) -> AssetKey:
    return build_dataset_key(NS, name)


def col(name: str) -> AssetKey:
    """`a.x`: column x of dataset a."""
    of, _, own = name.partition(".")
    return build_column_key(ds(of), own)


def node(name: str) -> AssetKey:
    return col(name) if "." in name else ds(name)


def flow(
    start: str, end: str, type_: str = "DIRECT", *, subtype: str = "", masking: bool = False, covered: bool = False, by: str = "j"
) -> Flow:
    """`flow("a.x", "b.y")`, `flow("a.x", "b", "INDIRECT")`, `flow("a", "b")`."""
    return Flow(node(start), node(end), FlowType(type_), subtype, masking, covered, build_job_key(NS, by) if by else None)


def same(a: str, b: str, **why: Json) -> EdgeFact:
    return EdgeFact(EdgeType.SAME_AS, ds(a), ds(b), {"why": "person", **why})


def different(a: str, b: str, **why: Json) -> EdgeFact:
    return EdgeFact(EdgeType.DIFFERENT_FROM, ds(a), ds(b), {"why": "person", **why})


def lists(of: str, *names: str) -> Facts:
    """A schema: the columns of a dataset, in order."""
    edges = [EdgeFact(EdgeType.HAS_COLUMN, ds(of), build_column_key(ds(of), name), {"position": i + 1}) for i, name in enumerate(names)]
    return Facts(assets=tuple(AssetFact(edge.end, {"type": "int"}) for edge in edges), edges=tuple(edges))


def says(
    facts: Facts | None,
    scope: Scope,
    at: int = 0,
    *,
    source: str = "openlineage/test",
    version: str = "",
    provisional: bool = False,
    until: int | None = None,
) -> Statement:
    return Statement(source, scope, at, EMPTY if facts is None else encode(facts), version, provisional, until)


def lineage(*flows: Flow, scope: str = "one", at: int = 0, **more: object) -> Statement:
    return says(Facts(flows=flows), ("test", scope), at, **more)  # type: ignore[arg-type]


def merged(a: str, b: str, at: int = 0, **why: str) -> Statement:
    return says(Facts(edges=(same(a, b, **why),)), ("person", a, b), at, source="person/p")


def renamed(old: str, new: str, at: int) -> Statement:
    return says(Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, ds(old), ds(new)),)), ("dataset-renamed", new, old, str(at)), at)


def dropped(name: str, at: int) -> Statement:
    return says(Facts(assets=(AssetFact(ds(name), {"dropped": True}),)), ("dataset-dropped", NS, name), at)


def column_renamed(of: str, old: str, new: str, at: int, source: str = "iceberg/cat") -> Statement:
    edge = EdgeFact(EdgeType.RENAMED_TO, build_column_key(ds(of), old), build_column_key(ds(of), new))
    return says(Facts(edges=(edge,)), ("column-renamed", NS, of, old, new, str(at)), at, source=source)


def column_dropped(of: str, name: str, at: int, source: str = "iceberg/cat") -> Statement:
    fact = AssetFact(build_column_key(ds(of), name), {"dropped": True})
    return says(Facts(assets=(fact,)), ("column-dropped", NS, of, name, str(at)), at, source=source)


def schema(of: str, *names: str, at: int = 0, source: str = "openlineage/test") -> Statement:
    return says(lists(of, *names), ("dataset", NS, of, "schema"), at, source=source)


def output_scope(job_name: str, output: str) -> Scope:
    return (JOB_OUTPUT, NS, job_name, NS, output)


class Fold:
    """What a store does with statements: heads by scope, changes by revision."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.revision = 0
        self._ids: dict[tuple[str, Scope], int] = {}

    def add(self, *statements: Statement) -> Changes:
        touched = {(s.source, s.scope) for s in statements}
        self.statements += statements
        return self._changed(touched)

    def withdraw(self, *statements: Statement) -> Changes:
        touched = {(s.source, s.scope) for s in statements}
        for statement in statements:
            self.statements.remove(statement)
        return self._changed(touched)

    def heads(self, as_of: int | None = None, size: int = 7) -> Iterable[Sequence[Head]]:
        found = [self._head(name, as_of) for name in self._ids]
        kept = [head for head in found if head.content is not None]
        return [kept[i : i + size] for i in range(0, len(kept), size)]

    def index(self, as_of: int | None = None) -> LineageIndex:
        return LineageIndex.load(self.heads(as_of), self.revision, as_of)

    def _changed(self, touched: set[tuple[str, Scope]]) -> Changes:
        for name in sorted(touched):
            self._ids.setdefault(name, len(self._ids) + 1)
        self.revision += 1
        return Changes(self.revision, [self._head(name, None) for name in sorted(touched)])

    def _head(self, name: tuple[str, Scope], as_of: int | None) -> Head:
        contents = {s.content.digest: s.content for s in self.statements}
        said = [
            Observation(s.observed_at, s.content.digest, s.version, s.provisional, s.until)
            for s in self.statements
            if (s.source, s.scope) == name and (as_of is None or s.observed_at <= as_of)
        ]
        stretches = [i for i in build_intervals(said) if as_of is None or i.valid_from <= as_of]
        last = stretches[-1] if stretches else None
        scope_id = self._ids[name]
        if last is None or last.valid_to is not None or last.observation.digest == EMPTY.digest:
            return Head(scope_id, *name, 0, 0, 0, "", provisional=False, content=None)
        o = last.observation
        return Head(scope_id, *name, o.observed_at, last.valid_from, last.last_observed, o.version, o.provisional, contents[o.digest])


def index_of(*statements: Statement) -> LineageIndex:
    fold = Fold()
    fold.add(*statements)
    return fold.index()
