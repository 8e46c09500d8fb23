"""An index as a viewer sees it who may not see every asset.

What is hidden does not exist for names, lists, searches and counts. Only traversals go through it, since an impact that ended there would
be too short: they name what the viewer may see, and count the rest (`Completeness.hidden`). All else that the index knows is derived
from these, so a query asks a restricted index as it asks any other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from meshline.graph.index.arrays import I64
from meshline.graph.index.display_names import DisplayNames
from meshline.graph.index.dump import Dump
from meshline.graph.index.lineage_index import ChangeFacet, LineageIndex
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.lookup import AssetLookup
from meshline.graph.index.mentions import ShownRows, Trail, compute_first_stated, compute_last_observed, list_scopes
from meshline.graph.index.name_search import Shown
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.restricted_lineage import RestrictedLineage
from meshline.graph.index.restricted_names import RestrictedAssets, RestrictedNames, refuse_question
from meshline.graph.index.restricted_ownership import RestrictedOwnership
from meshline.graph.index.results import Direction, Flags, Hits, Ints, Prepared, RankedRows, StatedScope, View, WordMatch
from meshline.graph.index.statistics import Size
from meshline.graph.index.title_pairs import TitledNodes, TitlePairs
from meshline.graph.model import KINDS, AssetKey, AssetKind, EdgeType, Scope
from meshline.graph.store.base import Changes, Head
from meshline.graph.store.synonyms import NO_SYNONYMS, Synonyms


class RestrictedIndex(LineageIndex):
    """An index without the assets that a viewer may not see. Valid until the index that it is made of changes."""

    def __init__(self, index: LineageIndex, visible: Flags, readable: Flags | None = None, with_sql: Flags | None = None) -> None:
        """Boolean arrays by node, equal for all members of an identity class; see `meshline.graph.queries.visibility.Masks`. `readable`,
        `with_sql`: if not given, all that is visible.
        """
        self._whole = index
        self._visible = visible
        self._readable = readable = visible if readable is None else readable
        self._with_sql = readable if with_sql is None else with_sql
        for name in ("_view", "_loader", "_tables", "_ownership", "_precedence"):  # which both have in common
            setattr(self, name, getattr(index, name))
        whole: DisplayNames = index._shown  # noqa: SLF001 - it is of the same class
        self._shown = RestrictedNames(whole, self._loader, visible, readable)
        self._lookup = index._lookup.copy_with(self._shown, visible)  # noqa: SLF001 - as above
        self._computed = (index.revision, {})
        self.assets = RestrictedAssets(self._loader, self._shown, self._lookup, visible, readable)
        self.ownership = RestrictedOwnership(self._loader, self._ownership, visible, readable)
        self.lineage = RestrictedLineage(self._loader, self._ownership, self._view, visible, readable)
        self.changes = RestrictedChanges(self._loader, self._shown, self._view, self._lookup, readable, self.ownership)

    @property
    def is_restricted(self) -> bool:
        return True

    @property
    def whole(self) -> LineageIndex:
        return self._whole

    def may_name(self, key: AssetKey) -> bool:
        """Whether it is the name of a visible asset: names that mean nothing any more may be those of hidden ones."""
        return self.assets.find_by_key(key) is not None

    def may_read(self, node: int) -> bool:
        return bool(self._readable[node])

    def is_partly_hidden(self, node: int, *, sql: bool = False) -> bool:
        """Whether a job reads or writes what the viewer may not read, or a dataset is made of it: then its texts may name that."""
        whole, readable = self._whole, self._with_sql if sql else self._readable
        if not readable[node]:
            return True
        if whole.assets.get_kind(node) not in (AssetKind.DATASET, AssetKind.JOB):
            return False
        if whole.assets.get_kind(node) is AssetKind.DATASET:
            near = whole.lineage.traverse([node, *whole.assets.list_columns(node)], Direction.UPSTREAM, depth=1).nodes
            jobs = [edge.start for edge in whole.ownership.list_edges(node, EdgeType.WRITES, incoming=True)]
            return not readable[near].all() or any(self.is_partly_hidden(job, sql=sql) for job in jobs)
        edges = (edge for type_ in (EdgeType.READS, EdgeType.WRITES) for edge in whole.ownership.list_edges(node, type_))
        datasets = [edge.end for edge in edges]
        columns = whole.lineage.collect_columns(datasets)
        return not (readable[datasets].all() and readable[columns].all())

    def prepare_ids(self) -> None:
        self._whole.prepare_ids()

    def prepare_suggestions(self) -> None:
        self._whole.prepare_suggestions()

    def prepare_search(self) -> None:
        self._whole.prepare_search()

    def iterate_suggestions(self, text: str, first: int) -> Iterator[tuple[int, int]]:
        return ((node, rank) for node, rank in self._whole.iterate_suggestions(text, first) if self._visible[node])

    def list_search_words(self, text: str) -> list[str]:
        return self._whole.list_search_words(text)

    def search_names(
        self,
        text: str,
        kinds: Sequence[AssetKind],
        texts: Mapping[int, Sequence[float]],
        synonyms: Synonyms = NO_SYNONYMS,
        vectors: NameVectors | None = None,
    ) -> RankedRows:
        search = self._whole._name_search  # noqa: SLF001 - of the same class
        hits = search.find(text, [KINDS.index(kind) for kind in kinds], texts, self._shown_names, synonyms, vectors)
        return hits.keep(self._visible[hits.rep[hits.rows]])

    def prepare_vectors(self, vectors: NameVectors) -> Prepared:
        return self._whole._name_search.prepare_vectors(vectors, self._shown_names)  # noqa: SLF001 - of the same class

    def is_near(self, text: str, node: int, vectors: NameVectors) -> bool:
        return self._whole.is_near(text, node, vectors)

    @cached_property
    def _shown_names(self) -> Shown:
        """What counts for how rare a word is: what is hidden must not change an order."""
        return self._whole._name_search.mark_shown(self._visible)  # noqa: SLF001 - of the same class

    def explain_hit(self, text: str, node: int, synonyms: Synonyms = NO_SYNONYMS) -> list[WordMatch]:
        search = self._whole._name_search  # noqa: SLF001 - of the same class
        return max((search.explain(text, own, self._shown_names, synonyms) for own in self._tables.list_ring(node)), key=len, default=[])

    def find_titled(self, titles: TitlePairs, least: int) -> TitledNodes:
        return self._whole.find_titled(titles, least)

    def mark_found(self, hits: Hits) -> Flags:
        return self._whole.mark_found(hits) & self._visible[hits.nodes]

    def iterate_hits(self, hits: Hits, first: int) -> Iterator[tuple[int, int]]:
        return self._whole.iterate_hits(hits, first)

    def find_alike(self, text: str, prefixes: Iterable[str], kind: AssetKind | None = None) -> list[int]:
        return [node for node in self._whole.find_alike(text, prefixes, kind) if self._visible[node]]

    def dump(self) -> Dump:
        refuse_question()


class RestrictedChanges(ChangeFacet):
    """What sources state of assets that the caller may read. What follows the store, or is for sources, asks the whole index."""

    def __init__(
        self, loader: HeadLoader, shown: DisplayNames, view: View, lookup: AssetLookup, readable: Flags, ownership: RestrictedOwnership
    ) -> None:
        super().__init__(loader, shown, view, lookup)
        self._readable = readable
        self._ownership = ownership

    def list_scopes(self, node: int, *, shown: bool = False) -> list[int]:
        return list_scopes(self._tables, node, self._shown_rows if shown else None) if self._readable[node] else []

    def compute_last_observed(self) -> I64:
        found: I64 = np.where(self._readable, compute_last_observed(self._tables, self._shown_rows), 0)
        return found

    def compute_first_stated(self) -> I64:
        found: I64 = np.where(self._readable, compute_first_stated(self._tables, self._shown_rows), 0)
        return found

    @property
    def _shown_rows(self) -> ShownRows:
        return ShownRows(self._readable, self._ownership.keep_relations, self._keep_flows)

    def _keep_flows(self, rows: Ints) -> Flags:
        flows = self._tables.flows
        kept: Flags = self._readable[flows.start[rows]] & self._readable[flows.end[rows]]
        return kept

    def apply(self, changes: Changes) -> None:
        refuse_question(changes)

    def suppose(self, heads: Iterable[Head]) -> None:
        refuse_question(heads)

    def open_trail(self) -> Trail:
        refuse_question()

    def list_scopes_between(self, pairs: Iterable[tuple[AssetKey, AssetKey]], without: Collection[int]) -> list[int]:
        refuse_question(pairs, without)

    def list_statements(self, source: str) -> dict[Scope, StatedScope]:
        refuse_question(source)

    def find_newest_time(self, kind: str) -> int:
        refuse_question(kind)

    def list_names_stated(self, namespaces: Collection[str], but: str) -> dict[str, dict[str, int]]:
        refuse_question(namespaces, but)

    def find_first_mentions(self, keys: Collection[AssetKey], but: str) -> dict[AssetKey, int]:
        refuse_question(keys, but)

    def measure_size(self) -> Size:
        refuse_question()
