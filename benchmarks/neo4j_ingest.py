"""Ingest into Neo4j: the whole path, against a bare driver loop that sends the same facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import neo4j

from benchmarks import ingest, servers
from benchmarks.figures import Benchmark, Figure, build_minimum
from benchmarks.meshes import Meshes, build_received, split_groups
from benchmarks.sizes import Size
from benchmarks.timing import Spent, measure_time
from meshline.graph.content import decode_facts
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.model import Facts, Flow, Json, Statement
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, RunReader
from meshline.graph.store.neo4j import Neo4jStore
from meshline.graph.store.neo4j.connection import Transaction
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import BatchBuilder

ABOUT = """\
The events of `ingest` into a store in Neo4j: from the JSON text until they are committed and the index answers with them. The
reference is a bare loop over the driver that sends the same facts (assets, relations and flows, with all their attributes) in the
same batches: one transaction each, by UNWIND and MERGE, so that a fact that is sent again exists once. It has a unique id, but no
history, no run state, no raw events, no search, and does not record sources; its facts are built beforehand and not
timed. In turns, on one server, which was warmed up with other events. Events a second, by the clock."""

UNIQUE = "CREATE CONSTRAINT plain_id IF NOT EXISTS FOR (a:Plain) REQUIRE a.id IS UNIQUE"
ASSETS = "UNWIND $rows AS row MERGE (a:Plain {{id: row.id}}) SET a:Plain_{label}, a.parts = row.parts, a.stated = row.stated"
RELATIONS = """
UNWIND $rows AS row
MATCH (a:Plain {{id: row.start}})
MATCH (b:Plain {{id: row.end}})
MERGE (a)-[r:{label}]->(b)
SET r.stated = row.stated
"""
FLOWS = """
UNWIND $rows AS row
MATCH (a:Plain {id: row.start})
MATCH (b:Plain {id: row.end})
MERGE (a)-[:FLOWS_TO {type: row.type, subtype: row.subtype, masking: row.masking, covered: row.covered, job: row.job}]->(b)
"""

EVENTS = {Size.TINY: 10, Size.QUICK: 100, Size.FULL: 1_500}
WARM_UP = {Size.TINY: 5, Size.QUICK: 100, Size.FULL: 500}
GOAL = build_minimum(1 / 2)


class FactRows(NamedTuple):
    """Facts as rows, by label or type."""

    assets: dict[str, list[dict[str, Any]]]
    relations: dict[str, list[dict[str, Any]]]
    flows: list[dict[str, Any]]


class FactBuilder:
    """Converts events to facts with the same code as ours, with its own store for the state of runs."""

    def __init__(self) -> None:
        self.store = SqliteStore()
        self.builder = BatchBuilder(Naming())

    def build_facts(self, bodies: Sequence[bytes]) -> FactRows:
        parsed = build_received(self.builder, bodies)
        statements: list[Statement] = []

        def build(runs: RunReader) -> Batch:
            batch = self.builder.build_batch(parsed, runs)
            statements.extend(batch.statements)
            return batch

        self.store.commit(build)
        return build_rows(decode_facts(statement.content.blob) for statement in statements)


def build_rows(stated: Iterable[Facts]) -> FactRows:
    """Each asset, relation and flow once."""
    assets: dict[Any, dict[str, Any]] = defaultdict(dict)
    relations: dict[tuple[Any, ...], dict[str, Any]] = {}
    flows: dict[Flow, dict[str, Any]] = {}
    for facts in stated:
        for asset in facts.assets:
            assets[asset.key].update(asset.attributes)
        for edge in facts.edges:
            ends = (edge.type, edge.start, edge.end)
            relations[ends] = {"start": edge.start.id, "end": edge.end.id, "stated": format_attributes(edge.attributes)}
            for key in ends[1:]:
                assets[key]  # the asset exists, even without attributes
        for flow in facts.flows:
            job = "" if flow.job is None else flow.job.id
            kind = {"type": flow.type.value, "subtype": flow.subtype, "masking": flow.masking, "covered": flow.covered, "job": job}
            flows[flow] = {"start": flow.start.id, "end": flow.end.id, **kind}
            for key in (flow.start, flow.end):
                assets[key].update({})
    found = FactRows(defaultdict(list), defaultdict(list), list(flows.values()))
    for key, attributes in assets.items():
        found.assets[key.kind.value].append({"id": key.id, "parts": list(key.parts), "stated": format_attributes(attributes)})
    for (type_, *_), row in relations.items():
        found.relations[type_.value].append(row)
    return found


def format_attributes(attributes: Mapping[str, Json]) -> str:
    return msgspec.json.encode(attributes).decode()


def send_rows(session: neo4j.Session, facts: FactRows) -> None:
    """The bare loop's one batch."""

    def write_rows(tx: Transaction) -> None:
        for kind, rows in facts.assets.items():
            tx.run(ASSETS.format(label=kind), {"rows": rows}).consume()
        for type_, rows in facts.relations.items():
            tx.run(RELATIONS.format(label=type_), {"rows": rows}).consume()
        tx.run(FLOWS, {"rows": facts.flows}).consume()

    session.execute_write(write_rows)


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    url = meshes.open_neo4j()
    ours, builder = ingest.Ours(Neo4jStore(url)), FactBuilder()
    warm_up, events = ingest.build_mesh(WARM_UP[size], seed=8), ingest.build_mesh(EVENTS[size])
    with servers.open_session(url) as session:
        session.run(UNIQUE).consume()
        ingest_both(ours, session, builder, warm_up.build_events())
        for case, day in (("new", 0), ("unchanged", 1)):
            number, mine, reference = ingest_both(ours, session, builder, events.build_events(day))
            yield Figure(
                case=case,
                unit="events/s",
                ours=number / mine.wall,
                reference=number / reference.wall,
                against="UNWIND, MERGE",
                goal=GOAL,
                more={"events": number, "events a commit": ingest.GROUP, "of our time, processor here": round(mine.cpu / mine.wall, 2)},
            )
        session.run("DROP CONSTRAINT plain_id").consume()
    ours.close()
    builder.store.close()


def ingest_both(ours: ingest.Ours, session: neo4j.Session, builder: FactBuilder, events: Iterable[bytes]) -> tuple[int, Spent, Spent]:
    """The same batches to both, in turns: how many events, and what each spent."""
    number, mine, reference = 0, Spent(), Spent()
    for bodies in split_groups(events, ingest.GROUP):
        facts = builder.build_facts(bodies)
        number += len(bodies)
        mine = mine.add(measure_time(lambda: ours.take(bodies)))  # noqa: B023 - called at once
        reference = reference.add(measure_time(lambda: send_rows(session, facts)))  # noqa: B023
    return number, mine, reference


LIMITS = """\
Of our time for a `new` event a third is Python before anything is sent (parsing, statements, the words for search, rows for the
driver), while the server waits. The server's part is about 1.6 times that of the bare loop: besides each relation it writes
the scope that states it, and the scopes that mention each asset (60 more relationships per event), and two full-text indexes, within the
commit."""

BENCHMARK = Benchmark("neo4j-ingest", ABOUT, run, LIMITS)
