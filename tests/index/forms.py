"""The same graph and questions for both forms of the kernels. Run as a module: with the kernels as they are written."""

from __future__ import annotations

import sys
from random import Random

from meshline.graph.index import Direction, LineageIndex
from meshline.graph.model import AssetFact, AssetKind, EdgeFact, EdgeType, Facts, Flow, FlowType, Statement, build_job_key
from tests.index.heads import (
    Fold,
    build_output_scope,
    build_same_as,
    build_schema,
    build_statement,
    state_column_drop,
    state_column_rename,
    to_column,
    to_dataset,
)

NAMES = "abcdefgh"


def build_statements(random: Random) -> list[Statement]:
    """Lineage, schemas, merges and a rename, by chance but always the same."""

    def choose_column() -> str:
        return f"{random.choice(NAMES)}.{random.choice('xyZ')}"

    def choose_flow() -> Flow:
        end = to_column(choose_column()) if random.random() < 0.8 else to_dataset(random.choice(NAMES))
        through = build_job_key("db", random.choice("jkl"))
        return Flow(
            to_column(choose_column()), end, random.choice(tuple(FlowType)), random.choice(("", "JOIN")), random.random() < 0.3, job=through
        )

    found: list[Statement] = []
    for at in range(40):
        flows = [choose_flow() for _ in range(3)]
        if random.random() < 0.3:
            flows.append(Flow(to_dataset(random.choice(NAMES)), to_dataset(random.choice(NAMES)), covered=random.random() < 0.5))
        found.append(build_statement(Facts(flows=tuple(flows)), build_output_scope(random.choice("jk"), random.choice(NAMES)), at))
    found += [
        build_statement(Facts(assets=(AssetFact(build_job_key("db", name), {"integration": producer}),)), ("job", name), 1)
        for name, producer in (("j", "DBT"), ("k", "AIRFLOW"), ("l", "SPARK"))
    ]
    found += [build_statement(build_schema(name, "x", "Y", "z", "Z"), ("dataset", name), 3) for name in "abc"]
    found.append(
        build_statement(Facts(edges=(build_same_as("a", "b", type="TABLE"), build_same_as("c", "d"))), ("person",), 5, source="person/p")
    )
    found.append(build_statement(Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, to_dataset("e"), to_dataset("f")),)), ("renamed",), 20))
    found += [state_column_rename("a", "x", "y", 15), state_column_rename("a", "y", "x", 15), state_column_drop("g", "z", 30)]
    return found


def format_answers() -> str:
    """Every answer of the index as text; after a load, increments, folding and compacting."""
    random = Random(20)
    fold = Fold()
    stated = build_statements(random)
    fold.add(*stated[:20])
    index = fold.build_index()
    for statement in stated[20:]:
        index.changes.apply(fold.add(statement))
    index.changes.apply(fold.withdraw(stated[-2]))
    before = format_traversals(index)
    index._tables.compact()
    assert format_traversals(index) == before
    return f"{index.dump()!r}\n{before}"


def format_traversals(index: LineageIndex) -> str:
    lines: list[str] = []
    for asset in index.dump().assets:
        node = index.assets.find_by_key(asset.shown)
        if node is not None and asset.shown.kind in {AssetKind.COLUMN, AssetKind.DATASET}:
            for direction in Direction:
                for depth in (None, 2):
                    found = index.lineage.traverse([node], direction, depth=depth)
                    rows = zip(*(column.tolist() for column in found.compute_affected()), strict=True)
                    reached = sorted((index.assets.get_key(n), reach, distance, masked) for n, reach, distance, masked in rows)
                    lines.append(f"{asset.shown} {direction} {depth} {found.completeness} {reached}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(format_answers())
