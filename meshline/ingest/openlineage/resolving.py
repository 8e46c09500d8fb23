"""Names that stand only in a column lineage: which dataset of the run is meant."""

from __future__ import annotations

from collections.abc import Mapping

from meshline.graph.model import AssetKey


class Resolver:
    """Over the inputs and outputs of one run, with the symlinks that the run gives for each."""

    def __init__(self, datasets: Mapping[AssetKey, frozenset[AssetKey]]) -> None:
        self._by_symlink: dict[AssetKey, list[AssetKey]] = {}
        self._by_case: dict[tuple[str, ...], list[AssetKey]] = {}
        self._by_last_part: dict[str, list[AssetKey]] = {}
        for dataset, symlinks in datasets.items():
            for symlink in symlinks:
                self._by_symlink.setdefault(symlink, []).append(dataset)
            self._by_case.setdefault(_folded(dataset), []).append(dataset)
            self._by_last_part.setdefault(_last_part(dataset), []).append(dataset)

    def resolve(self, key: AssetKey) -> AssetKey:
        """The one dataset that fits by symlink, else by case, else by the last part of the name; else `key` itself.

        The first of these by which any fits decides. dbt names CTEs here, which fit nothing.
        """
        found = self._by_symlink.get(key) or self._by_case.get(_folded(key)) or self._by_last_part.get(_last_part(key))
        return found[0] if found and len(found) == 1 else key


def _folded(key: AssetKey) -> tuple[str, ...]:
    return tuple(part.casefold() for part in key.parts)


def _last_part(key: AssetKey) -> str:
    return key.name.replace("/", ".").rsplit(".", 1)[-1].casefold()
