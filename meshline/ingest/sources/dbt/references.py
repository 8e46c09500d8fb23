"""What nodes refer to, and the order that this gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from meshline.ingest.sources.dbt.artifacts import DependsOn
from meshline.ingest.sources.dbt.reading import Artifacts
from meshline.ingest.sources.dbt.tables import Table


class References:
    """What nodes refer to, through ephemeral models, metrics and the like, which are no tables."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._through: dict[str, DependsOn | None] = {id_: one.depends_on for id_, one in artifacts.passages.items()}
        self._through.update({id_: node.depends_on for id_, node in artifacts.nodes.items()})

    def tables(self, depends_on: DependsOn | None, tables: Mapping[str, Table]) -> list[str]:
        """Unique ids of tables, each once."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        waiting = list(reversed(depends_on.nodes)) if depends_on is not None else []
        while waiting:
            id_ = waiting.pop()
            if id_ in tables:
                found[id_] = None
            elif id_ not in seen:
                seen.add(id_)
                behind = self._through.get(id_)
                waiting += reversed(behind.nodes) if behind is not None else ()
        return list(found)


def after_references(ids: Iterable[str], references: Callable[[str], Sequence[str]]) -> Iterator[str]:
    """Each after those that it refers to. Where they refer to each other in a circle, one begins."""
    done: set[str] = set()
    for first in ids:
        if first in done:
            continue
        done.add(first)
        path = [(first, iter(references(first)))]
        while path:
            id_, rest = path[-1]
            following = next((one for one in rest if one not in done), None)
            if following is None:
                path.pop()
                yield id_
            else:
                done.add(following)
                path.append((following, iter(references(following))))
