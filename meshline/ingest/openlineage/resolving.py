"""Names that stand only in a column lineage: which dataset of the run is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meshline.graph.model import AssetKey


class Resolver:
    """Over the inputs and outputs of one run, with the symlinks that the run gives for each."""

    def __init__(self, datasets: Mapping[AssetKey, frozenset[AssetKey]]) -> None:
        self._datasets = datasets

    def resolve(self, key: AssetKey) -> AssetKey:
        """The one dataset that fits by symlink, else by case, else by the last part of the name; else `key` itself.

        The first of these by which any fits decides. dbt names CTEs here, which fit nothing.
        """
        case, last = _folded(key), _last_part(key)
        criteria: tuple[Callable[[AssetKey], bool], ...] = (
            lambda dataset: key in self._datasets[dataset],
            lambda dataset: _folded(dataset) == case,
            lambda dataset: _last_part(dataset) == last,
        )
        for fits in criteria:
            found = [dataset for dataset in self._datasets if fits(dataset)]
            if found:
                return found[0] if len(found) == 1 else key
        return key


def _folded(key: AssetKey) -> tuple[str, ...]:
    return tuple(part.casefold() for part in key.parts)


def _last_part(key: AssetKey) -> str:
    return key.name.replace("/", ".").rsplit(".", 1)[-1].casefold()
