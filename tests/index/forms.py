"""The same graph and questions for both forms of the kernels. Run as a module: with the kernels as they are written."""

from __future__ import annotations

import sys
from random import Random

from meshline.graph.index import Direction, LineageIndex
from meshline.graph.model import AssetFact, AssetKind, EdgeFact, EdgeType, Facts, Flow, FlowType, Statement, build_job_key
from tests.index.heads import Fold, col, column_dropped, column_renamed, ds, lists, output_scope, same, says

NAMES = "abcdefgh"


def statements(random: Random) -> list[Statement]:
    """Lineage, schemas, merges and a rename, by chance but always the same."""

    def column() -> str:
        return f"{random.choice(NAMES)}.{random.choice('xyZ')}"

    def flow() -> Flow:
        end = col(column()) if random.random() < 0.8 else ds(random.choice(NAMES))
        through = build_job_key("db", random.choice("jkl"))
        return Flow(col(column()), end, random.choice(tuple(FlowType)), random.choice(("", "JOIN")), random.random() < 0.3, job=through)

    found: list[Statement] = []
    for at in range(40):
        flows = [flow() for _ in range(3)]
        if random.random() < 0.3:
            flows.append(Flow(ds(random.choice(NAMES)), ds(random.choice(NAMES)), covered=random.random() < 0.5))
        found.append(says(Facts(flows=tuple(flows)), output_scope(random.choice("jk"), random.choice(NAMES)), at))
    found += [
        says(Facts(assets=(AssetFact(build_job_key("db", name), {"integration": producer}),)), ("job", name), 1)
        for name, producer in (("j", "DBT"), ("k", "AIRFLOW"), ("l", "SPARK"))
    ]
    found += [says(lists(name, "x", "Y", "z", "Z"), ("dataset", name), 3) for name in "abc"]
    found.append(says(Facts(edges=(same("a", "b", type="TABLE"), same("c", "d"))), ("person",), 5, source="person/p"))
    found.append(says(Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, ds("e"), ds("f")),)), ("renamed",), 20))
    found += [column_renamed("a", "x", "y", 15), column_renamed("a", "y", "x", 15), column_dropped("g", "z", 30)]
    return found


def answers() -> str:
    """Everything that the index says, as text; after a load, increments, folding and compacting."""
    random = Random(20)
    fold = Fold()
    said = statements(random)
    fold.add(*said[:20])
    index = fold.index()
    for statement in said[20:]:
        index.changes.apply(fold.add(statement))
    index.changes.apply(fold.withdraw(said[-2]))
    before = walked(index)
    index._tables.compact()
    assert walked(index) == before
    return f"{index.dump()!r}\n{before}"


def walked(index: LineageIndex) -> str:
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
    sys.stdout.write(answers())
