"""Meshes in pairs that differ only in what a caller may not see, for the law that they answer him alike, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hypothesis import Phase
from hypothesis import strategies as st

from meshline.graph.contracts import Contract, Field, Model, Terms, build_contract_attributes, build_level
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    AssetKind,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    Json,
    Statement,
    build_column_key,
    build_contract_key,
    build_dataset_key,
    build_job_key,
)
from meshline.graph.usage import DATASET_READS, FIRST_READ, LAST_READ, READS, USAGE, USAGE_WINDOW, WINDOWS
from tests.queries import mesh
from tests.sizes import ALL

SEVERAL = 3  # datasets of each part
COLUMNS = ("a", "b", "c")


class Shape(NamedTuple):
    """What two worlds have in common: the flows between columns (numbers of datasets, first the open ones), and what is used and owned."""

    flows: list[tuple[int, int, int, int, str]]
    used: list[tuple[int, int]]  # (consumer, dataset)
    owned: list[tuple[int, int]]  # (owner, dataset)
    governed: list[tuple[int, int]]  # (contract, dataset)


def draw_shapes() -> st.SearchStrategy[Shape]:
    dataset = st.integers(0, 2 * SEVERAL - 1)
    column = st.integers(0, len(COLUMNS) - 1)
    pairs = st.lists(st.tuples(st.integers(0, 1), dataset), max_size=6, unique=True)
    flow = st.tuples(dataset, column, dataset, column, st.sampled_from(["IDENTITY", "FILTER"]))
    return st.builds(Shape, st.lists(flow, min_size=3, max_size=14, unique=True), pairs, pairs, pairs)


class Secret(NamedTuple):
    """What two worlds differ in. `word`: what the names of all that is secret begin with. `text`: what is written about it."""

    word: str
    text: str


MARKS = ("sesame", "arcane")  # what the secrets of one world, and of the other, begin with
PLAIN = Secret(MARKS[0], MARKS[0])
STRANGE = Secret(f"{MARKS[1]}-Ü'\"/%ﷺ", f"{MARKS[1]}\n\u202e 'x'")
DRAWN = [Phase.explicit, *([Phase.generate, Phase.shrink] if ALL else [])]  # in an ordinary run only the examples that are written down
USUAL = Shape(  # one in which each kind of asset has visible and secret ones, and flows go through secret datasets
    [
        *((0, 0, 3, 0, "IDENTITY"), (3, 0, 1, 0, "IDENTITY"), (1, 0, 2, 1, "FILTER"), (4, 0, 2, 2, "IDENTITY")),
        *((0, 1, 4, 1, "IDENTITY"), (5, 0, 0, 2, "IDENTITY"), (1, 1, 5, 1, "FILTER"), (0, 0, 1, 2, "IDENTITY")),
    ],
    [(0, 1), (0, 3), (1, 4)],
    [(0, 1), (0, 3), (1, 4)],
    [(0, 1), (1, 2), (1, 4)],
)
PATTERNS = ".*?[]{}"  # what separates parts of names, or has a meaning in patterns


def draw_secret(mark: str) -> st.SearchStrategy[Secret]:
    """A secret whose names and texts are of any characters."""
    of_names = st.characters(codec="utf-8", categories=["L", "M", "N", "P", "S"], exclude_characters=PATTERNS)
    of_texts = st.characters(codec="utf-8")
    return st.builds(Secret, st.text(of_names, max_size=6).map(mark.__add__), st.text(of_texts, max_size=30).map(mark.__add__))


class World:
    """A mesh with the domains `open` and a secret one.

    `more`: a secret dataset is made of each open one, with an owner and a consumer of its own. `later`: in seconds, how much later what
    relates open assets to secret ones is stated. `unread`: what a caller may not know of
    the secret part who may browse it: the names of its columns, jobs and consumers, and all texts but titles, descriptions and tags.
    """

    def __init__(self, shape: Shape, secret: Secret, *, more: bool = False, later: int = 0, unread: Secret | None = None) -> None:
        self.shape = shape
        self.later = mesh.START + later * mesh.SECOND
        self.secret = secret
        self.unread = unread or secret
        of_secret = COLUMNS if unread is None else tuple(f"{unread.word}_{name}" for name in COLUMNS)
        self.columns = {number: COLUMNS if number < SEVERAL else of_secret for number in range(2 * SEVERAL)}
        self.more = more
        self.parts = {"open": "open", secret.word: secret.text}
        self.datasets = [build_dataset_key("wh", f"{part}.{n}") for part in self.parts for n in range(SEVERAL)]

    def name(self, word: str, datasets: Sequence[int]) -> str:
        """The name of what belongs to these datasets: of what the caller may not see if all of these are secret."""
        secret = self.secret if word.startswith("team") else self.unread
        return word if not datasets or any(number < SEVERAL for number in datasets) else f"{secret.word}_{word}"

    def list_jobs(self) -> Iterator[tuple[AssetKey, list[AssetKey], AssetKey, list[Flow]]]:
        """The jobs, with their inputs, output and flows between columns."""
        for end, output in enumerate(self.datasets):
            flows = [flow for flow in self.shape.flows if flow[2] == end and flow[0] != end]
            if flows:
                inputs = sorted({self.datasets[flow[0]] for flow in flows})
                steps = [
                    mesh.build_flow(
                        build_column_key(self.datasets[start], self.columns[start][one]),
                        build_column_key(output, self.columns[end][other]),
                        subtype,
                    )
                    for start, one, _, other, subtype in flows
                ]
                yield build_job_key("air", self.name(f"load_{end}", [end])), inputs, output, steps

    def list_statements(self) -> Iterator[Statement]:
        for part, text in self.parts.items():
            domain, product = AssetKey(AssetKind.DOMAIN, (part,)), AssetKey(AssetKind.DATA_PRODUCT, (f"{part}-product",))
            yield mesh.build_asset_statement(domain, title=f"All of {text}", members=[f"wh/{part}.*"])
            yield mesh.build_asset_statement(product, title=f"The product of {text}", tags=[text])
            yield mesh.build_edge_statement(EdgeType.PART_OF, product, domain)
        for number, (dataset, (part, text)) in enumerate(zip(self.datasets, self.repeat_parts(), strict=True)):
            columns = [build_column_key(dataset, name) for name in self.columns[number]]
            unread = self.unread.text if number >= SEVERAL else text
            edges = tuple(EdgeFact(EdgeType.HAS_COLUMN, dataset, column, {"position": at}) for at, column in enumerate(columns, 1))
            facts = (
                AssetFact(dataset, {"description": f"Made for {text}", "tags": [text], "location": f"s3://{unread}", "owner_note": unread}),
                *(AssetFact(column, {"type": unread, "description": unread}) for column in columns),
            )
            yield mesh.build_statement(mesh.LINEAGE, ("dataset", *dataset.parts), Facts(edges=edges, assets=facts))
            sources = sorted({self.datasets[flow[0]].name for flow in self.shape.flows if flow[2] == number})
            if sources:
                yield mesh.build_asset_statement(dataset, sql=f"SELECT '{unread}' FROM {', '.join(sources)}")
            if number % SEVERAL == 0:
                product = AssetKey(AssetKind.DATA_PRODUCT, (f"{part}-product",))
                yield mesh.build_edge_statement(EdgeType.PORT, product, dataset, direction="output", name="out", description=unread)
        yield from self._list_job_statements()
        yield from self._list_users()
        yield from self._list_usage()
        yield from self._list_contracts()
        yield from self._list_more()

    def find_time(self, dataset: AssetKey) -> int:
        """When it is stated what relates a dataset to others."""
        return self.later if dataset in self.datasets[SEVERAL:] else mesh.START

    def repeat_parts(self) -> Iterator[tuple[str, str]]:
        """The part and its text, for each dataset."""
        for part in self.parts.items():
            yield from [part] * SEVERAL

    def _list_job_statements(self) -> Iterator[Statement]:
        for job, inputs, output, steps in self.list_jobs():
            yield mesh.build_run_statement(job, inputs, output, *steps, at=self.find_time(output))
            secret = any(dataset in self.datasets[SEVERAL:] for dataset in (*inputs, output))
            text = self.unread.text if secret else "open"
            sql = f"SELECT '{text}' FROM {', '.join(one.name for one in inputs)}"
            yield mesh.build_asset_statement(job, sql=sql, integration="DBT")

    def _list_more(self) -> Iterator[Statement]:
        word = self.secret.word
        for number in range(SEVERAL) if self.more else ():
            dataset, source = build_dataset_key("wh", f"{word}.more{number}"), self.datasets[number]
            yield mesh.build_schema_statement(dataset, *COLUMNS)
            steps = [mesh.build_flow(build_column_key(source, name), build_column_key(dataset, name)) for name in COLUMNS]
            yield mesh.build_run_statement(build_job_key("air", f"{word}_more{number}"), [source], dataset, *steps)
            yield mesh.build_edge_statement(EdgeType.OWNS, AssetKey(AssetKind.OWNER, (f"{word}-owner",)), dataset)
            yield mesh.build_edge_statement(EdgeType.CONSUMES, AssetKey(AssetKind.CONSUMER, (f"{word}-more",)), dataset)

    def _list_users(self) -> Iterator[Statement]:
        for kind, type_, word, pairs in (
            (AssetKind.CONSUMER, EdgeType.CONSUMES, "app", self.shape.used),
            (AssetKind.OWNER, EdgeType.OWNS, "team", self.shape.owned),
        ):
            for number in (0, 1):
                of = [dataset for one, dataset in pairs if one == number]
                key = AssetKey(kind, (self.name(f"{word}-{number}", of),))
                secret = self.secret if kind is AssetKind.OWNER else self.unread
                text = secret.text if key.name.startswith(secret.word) else "open"
                if of:
                    yield mesh.build_asset_statement(key, title=text, description=text, contact=text)
                for dataset in of:
                    of_edge = self.unread.text if dataset >= SEVERAL else "open"
                    browsed = kind is AssetKind.OWNER and self.unread != self.secret  # then it is no secret when that was stated
                    at = mesh.START if browsed else self.find_time(self.datasets[dataset])
                    yield mesh.build_edge_statement(type_, key, self.datasets[dataset], at=at, purpose=of_edge)
                    reader = AssetKey(AssetKind.OWNER, (self.name(f"team-reader-{number}", of),))
                    yield mesh.build_edge_statement(EdgeType.MAY_READ, reader, self.datasets[dataset], grant=of_edge)

    def _list_usage(self) -> Iterator[Statement]:
        """The first consumer was seen to read what both use; how often, when and what for is secret of secret datasets."""
        for number, dataset in self.shape.used:
            unread = self.unread.text if dataset >= SEVERAL else "open"
            often = len(unread)
            reads: dict[str, Json] = {READS: often, FIRST_READ: mesh.START - often, LAST_READ: mesh.START + often, DATASET_READS: 2 * often}
            of = [one for consumer, one in self.shape.used if consumer == number]
            consumer = AssetKey(AssetKind.CONSUMER, (self.name(f"app-{number}", of),))
            column = build_column_key(self.datasets[dataset], self.columns[dataset][0])
            edge = EdgeFact(EdgeType.CONSUMES, consumer, column, {**reads, "purpose": unread})
            scope = (USAGE, *self.datasets[dataset].parts, f"2026-{number + 10}")
            yield mesh.build_statement("usage/default", scope, Facts(edges=(edge,)))
        for number, key in enumerate(self.datasets):
            often = len(self.unread.text) if number >= SEVERAL else 1
            window: dict[str, Json] = {"from": mesh.START - often, "to": mesh.START + often, "columns": True}
            facts = Facts(assets=(AssetFact(key, {WINDOWS: [window]}),))
            yield mesh.build_statement("usage/default", (USAGE_WINDOW, *key.parts), facts)

    def _list_contracts(self) -> Iterator[Statement]:
        for number in (0, 1):
            of = [dataset for one, dataset in self.shape.governed if one == number]
            secret = any(dataset >= SEVERAL for dataset in of)  # one of two that it governs is enough
            word, text = self.unread if secret else ("open", "open")
            contract = Contract(
                f"{word}-{number}",
                title=text,
                description=text,
                models=(Model(text, fields=(Field("a", type="string", description=text, enum=(text,)),)),),
                sla=(build_level("freshness", "1d", description=text),),
                terms=Terms(usage=text, limitations=text),
                tags=(text,),
            )
            key = build_contract_key(contract.id)
            if of:
                yield mesh.build_statement(
                    mesh.MESH, ("about", key.id), Facts(assets=(AssetFact(key, build_contract_attributes(contract)),))
                )
            for dataset in of:
                at = self.later if secret else mesh.START
                yield mesh.build_edge_statement(EdgeType.GOVERNS, key, self.datasets[dataset], at=at, status="active")


def list_variables(world: World) -> dict[str, str]:
    first, last = world.datasets[0], world.datasets[SEVERAL - 1]
    return {
        "email": build_column_key(first, "a").id,
        "hash": build_column_key(last, "b").id,
        "orders": first.id,
        "report": last.id,
        "team": AssetKey(AssetKind.OWNER, ("team-0",)).id,
        "product": AssetKey(AssetKind.DATA_PRODUCT, ("open-product",)).id,
    }
