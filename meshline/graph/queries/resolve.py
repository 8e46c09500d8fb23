"""Names that users type, resolved to one asset: an id, a name, an alias, `dataset.column`, or a unique suffix of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from meshline.errors import Ambiguous, InvalidInput, NotFound
from meshline.graph.content import build_keys, decode_layout
from meshline.graph.index import Direction
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import ID_PREFIX, KINDS, AssetKey, AssetKind, from_micros
from meshline.graph.naming import Naming, parse_search_terms
from meshline.graph.queries.asset_lists import is_listed
from meshline.graph.queries.pages import build_name_key, format_name
from meshline.graph.similarity import find_close_matches
from meshline.graph.store.base import Store
from meshline.words import format_time

LONGEST = 4096  # characters
MOST_CUTS = 64  # places at which a name is cut in two, each of which costs a lookup in the index
MOST_SEARCHED = 8  # places of which each costs a search. Both bound the cost of a long name.
SEARCHED = 500  # keys that the store's search gives at most; if it gives so many, all names are compared instead
SHOWN = 20  # candidates in an error
NEAR = 5  # similar names in an error
MOST_SCOPES = 500  # whose histories are read for an error

BOUNDARY = "./:"
ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"
_ID = re.compile(f"(?:{'|'.join(ID_PREFIX.values())})_[0-9a-f]{{32}}")
KIND_WORDS = {kind.lower(): kind for kind in KINDS} | {"product": AssetKind.DATA_PRODUCT}
_SINGLE = tuple(kind for kind in KINDS if kind not in (AssetKind.DATASET, AssetKind.JOB, AssetKind.COLUMN))


def get_node(index: LineageIndex, asset_id: str) -> int:
    """The node of an id. Raises NotFound."""
    node = index.assets.find(asset_id)
    if node is None or not index.assets.is_visible(node):
        hint = "" if _ID.fullmatch(asset_id) else ": that is no id; `resolve` gives the id of the asset that a name refers to"
        raise NotFound(f"no asset has the id {asset_id[:80]!r}{hint}")
    return node


def check_starts(index: LineageIndex, nodes: Iterable[int], direction: Direction) -> None:
    """Raises InvalidInput for a traversal downstream of a consumer, which no recorded data leaves."""
    for node in nodes:
        if direction is Direction.DOWNSTREAM and index.assets.get_kind(node) is AssetKind.CONSUMER:
            name = index.assets.get_label(node).name
            raise InvalidInput(
                f"{name!r} is a consumer, which no recorded data leaves: ask where its data comes from (provenance,"
                " `meshline lineage --upstream`); impact starts at columns, datasets, products, domains, jobs, contracts and owners",
                "of",
            )


def find_dataset(index: LineageIndex, naming: Naming, namespace: str, name: str) -> int | None:
    """The visible dataset of a name in the spelling of the naming rules, else exactly as given; None if there is none."""
    for key in (naming.normalise_dataset(namespace, name), AssetKey(AssetKind.DATASET, (namespace, name))):
        node = index.assets.find_by_key(key)
        if node is not None and index.assets.is_visible(node):
            return node
    return None


def resolve_name(index: LineageIndex, store: Store, naming: Naming, text: str) -> int:
    """The one asset that a text refers to.

    Raises InvalidInput for an empty or too long text, NotFound with similar names, Ambiguous with candidates.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise InvalidInput(f"a name has 1 to {LONGEST} characters", "name")
    if _ID.fullmatch(text):
        return get_node(index, text)
    lookup = _Lookup(index, store, naming)
    word, colon, rest = text.partition(":")
    if colon and rest and word.lower() in KIND_WORDS:
        node = lookup.find_one(rest, (KIND_WORDS[word.lower()],))
        if node is not None:
            return node
    node = lookup.find_one(text, KINDS)
    if node is None and ZERO_WIDTH_SPACE in text:  # copied from a Markdown report, which keeps names from becoming links
        return resolve_name(index, store, naming, text.replace(ZERO_WIDTH_SPACE, ""))
    if node is None:
        raise NotFound(_describe_not_found(lookup, text))
    return node


def find_as_of(live: LiveGraph, index: LineageIndex, find: Callable[[LineageIndex], int]) -> int:
    """The node that a function finds in an index. `live`: the graph, under its lock.

    If that is an index of a past time, and the asset is only known now, NotFound states its name at that time, or since when it is known.
    """
    try:
        return find(index)
    except NotFound:
        node = None if index.as_of is None else _find_now(live, find)
        if node is None:
            raise
    raise NotFound(_describe_unknown_then(live, index, node))


def _find_now(live: LiveGraph, find: Callable[[LineageIndex], int]) -> int | None:
    try:
        return find(live.index)
    except (NotFound, Ambiguous):
        return None


def _describe_unknown_then(live: LiveGraph, then: LineageIndex, node: int) -> str:
    """The message for an asset that is known now and not as of a past time. `node`: in the current index."""
    assert then.as_of is not None
    now = live.index
    unknown = f"{format_name(now.assets.get_key(node))!r} is not known as of {format_time(from_micros(then.as_of))}"
    for key in now.assets.list_names(node, former=True):
        known = then.assets.find_by_key(key)
        if known is not None and then.assets.is_visible(known):
            return f"{unknown}: {format_name(then.assets.get_key(known))!r} is, which was its name before"
    since = _find_first_statement(live, node, then.as_of)
    return unknown if since is None else f"{unknown}: its sources state it since {format_time(from_micros(since))}"


def _find_first_statement(live: LiveGraph, node: int, after: int) -> int | None:
    """The time after `after` (both microseconds) at which the sources that state an asset now first did; None if those are too many."""
    names = set(live.index.assets.list_names(node))
    scopes = live.index.changes.list_scopes(node)
    if len(scopes) > MOST_SCOPES:
        return None
    return min(
        (
            interval.valid_from
            for history in live.store.read_history(scopes).values()
            for interval, content in history
            if interval.valid_from > after and not names.isdisjoint(build_keys(decode_layout(content.blob)))
        ),
        default=None,
    )


class _Lookup:
    """The resolution of one text in three tiers: exact name, suffix, suffix in any case. The first tier that finds an asset decides."""

    def __init__(self, index: LineageIndex, store: Store, naming: Naming) -> None:
        self.index = index
        self.store = store
        self.naming = naming

    def find_one(self, text: str, kinds: Sequence[AssetKind]) -> int | None:
        for tier in (self.find_exact, self.find_by_suffix, self.find_folded):
            found = self._prefer_known({node for node in tier(text, kinds) if self.index.assets.is_visible(node)})
            if len(found) == 1:
                return found[0]
            if found:
                raise self._build_ambiguous(text, found)
        return None

    def _prefer_known(self, found: set[int]) -> list[int]:
        """The assets that are not only inferred; all if every one is."""
        known = [node for node in found if not self._is_inferred(node)]
        return known or list(found)

    def _is_inferred(self, node: int) -> bool:
        kind = self.index.assets.get_kind(node)
        if kind is AssetKind.COLUMN:
            return self.index.assets.is_unlisted(node) or self.index.assets.is_inferred(self.index.assets.get_dataset(node))
        return kind is AssetKind.DATASET and self.index.assets.is_inferred(node)

    def find_exact(self, text: str, kinds: Sequence[AssetKind]) -> Iterator[int]:
        for kind in kinds:
            if kind in _SINGLE:
                yield from self._find_nodes([AssetKey(kind, (text,))])
        if AssetKind.DATASET in kinds:
            yield from self._find_datasets(text)
        if AssetKind.JOB in kinds:
            yield from self._find_nodes(AssetKey(AssetKind.JOB, halves) for halves in _split_at_first(text, "/"))
        if AssetKind.COLUMN in kinds:
            for name, column in _split_at_last(text, ".", MOST_CUTS):
                for node in self._find_datasets(name):
                    yield from self._find_columns(node, column.__eq__)

    def find_by_suffix(self, text: str, kinds: Sequence[AssetKind]) -> Iterator[int]:
        return self._find_ending(text, kinds, str)

    def find_folded(self, text: str, kinds: Sequence[AssetKind]) -> Iterator[int]:
        return self._find_ending(text, kinds, str.casefold)

    def _find_nodes(self, keys: Iterable[AssetKey]) -> Iterator[int]:
        for key in keys:
            node = self.index.assets.find_by_key(key)
            if node is not None:
                yield node

    def _find_datasets(self, text: str) -> Iterator[int]:
        for namespace, name in _split_at_first(text, "/"):
            node = find_dataset(self.index, self.naming, namespace, name)
            if node is not None:
                yield node

    def _find_columns(self, of: int, wanted: Callable[[str], bool]) -> list[int]:
        return self._select_named(self.index.assets.list_columns(of), lambda key: wanted(key.name))

    def _find_ending(self, text: str, kinds: Sequence[AssetKind], fold: Callable[[str], str]) -> Iterator[int]:
        wanted = fold(text)
        for kind in kinds:
            if kind is not AssetKind.COLUMN:
                yield from self._find_named(wanted, kind, fold)
                continue
            yield from self._find_named(wanted, kind, fold)
            for name, column in _split_at_last(wanted, ".", MOST_SEARCHED):
                for node in self._find_named(name, AssetKind.DATASET, fold):
                    yield from self._find_columns(node, lambda own, column=column: fold(own) == column)  # type: ignore[misc]

    def _find_named(self, wanted: str, kind: AssetKind, fold: Callable[[str], str]) -> list[int]:
        """The nodes of a kind that have a name which ends with the text at a boundary. `wanted`: folded."""

        def is_match(key: AssetKey) -> bool:
            return _ends_with(fold(key.qualified_name), wanted)

        words = parse_search_terms(wanted)
        few = self.index.find_named(kind, wanted, SEARCHED)
        if few is not None and (words or not few):
            return self._select_named(few, is_match)
        keys = self.store.search(words, (kind,), SEARCHED) if words else ()
        nodes = {node for key in keys if (node := self.index.assets.find_by_key(key)) is not None}
        found = self._select_named(nodes, is_match)
        if len(found) < 2 and (not words or len(keys) >= SEARCHED):
            found = self._select_named(
                [node for node in self.index.assets.find_ending(kind, wanted) if is_listed(self.index, node)], is_match
            )
        return found

    def _select_named(self, nodes: Collection[int], wanted: Callable[[AssetKey], bool]) -> list[int]:
        """The nodes that have a wanted name; if there are none, those that had one before they were renamed: of several, the last."""
        assets = self.index.assets
        found = [node for node in nodes if any(wanted(key) for key in assets.list_names(node))]
        if found:
            return found
        former = [(node, key) for node in nodes for key in assets.list_names(node, former=True) if wanted(key)]
        return _list_nodes((node, key) for node, key in former if assets.find_by_key(key) == node) or _list_nodes(former)

    def list_similar_columns(self, text: str) -> Iterator[tuple[str, int]]:
        """The columns of the datasets that a text begins with, each as the text would spell it. `text`: folded."""
        for name, _ in _split_at_first(text, "."):
            for node in self._find_named(name, AssetKind.DATASET, str.casefold):
                yield from (
                    (f"{name}.{self.index.assets.get_column_name(column).casefold()}", column)
                    for column in self.index.assets.list_columns(node)
                )

    def _build_ambiguous(self, text: str, found: Iterable[int]) -> Ambiguous:
        nodes = sorted(found, key=lambda node: build_name_key(self.index, node))
        names = tuple(format_name(self.index.assets.get_key(node)) for node in nodes)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return Ambiguous(f"{text!r} may be {', '.join(names[:SHOWN])}{more}: name one of them", names[:SHOWN])


def _list_nodes(named: Iterable[tuple[int, AssetKey]]) -> list[int]:
    return list(dict.fromkeys(node for node, _ in named))


def _split_at_first(text: str, mark: str) -> Iterator[tuple[str, str]]:
    """The ways to cut a text in two at a mark so that neither part is empty: at the first MOST_CUTS marks."""
    at = text.find(mark, 1)
    for _ in range(MOST_CUTS):
        if not 0 < at < len(text) - 1:
            return
        yield text[:at], text[at + 1 :]
        at = text.find(mark, at + 1)


def _split_at_last(text: str, mark: str, most: int) -> list[tuple[str, str]]:
    """The ways to cut a text in two at a mark so that neither part is empty: at the last `most` marks."""
    cuts: list[int] = []
    at = text.rfind(mark, 0, len(text) - 1)
    while at > 0 and len(cuts) < most:
        cuts.append(at)
        at = text.rfind(mark, 0, at)
    return [(text[:at], text[at + 1 :]) for at in reversed(cuts)]


def _ends_with(name: str, suffix: str) -> bool:
    if not name.endswith(suffix):
        return False
    rest = name[: len(name) - len(suffix)]
    return not rest or rest[-1] in BOUNDARY or suffix[0] in BOUNDARY


def _describe_not_found(lookup: _Lookup, text: str) -> str:
    """The message for a text that refers to no asset, with similar names."""
    index = lookup.index
    names: dict[str, str] = {}
    for node in index.find_alike(text, _list_beginnings(text)):
        _add_spellings(names, index.assets.get_key(node))
    dataset, _, column = text.rpartition(".")
    if dataset and column:
        for node in index.find_alike(dataset, _list_beginnings(dataset), AssetKind.DATASET)[:NEAR]:
            shown = index.assets.get_key(node).name
            for key in map(index.assets.get_key, index.assets.list_columns(node)):
                names.setdefault(f"{shown}.{key.name}".casefold(), key.qualified_name)
                names.setdefault(key.qualified_name.casefold(), key.qualified_name)
    names |= {spelled: index.assets.get_key(node).qualified_name for spelled, node in lookup.list_similar_columns(text.casefold())}
    close = find_close_matches(text.casefold(), names, NEAR, 0.6)
    near = list(dict.fromkeys(names[name] for name in close))
    hint = f": did you mean {' or '.join(near)}?" if near else ": meshline search finds names"
    return f"no asset is called {text[:200]!r}{hint}"


def _list_beginnings(text: str) -> list[str]:
    return [word[:3] for word in parse_search_terms(text)[-3:]]


def _add_spellings(names: dict[str, str], key: AssetKey) -> None:
    names.setdefault(key.qualified_name.casefold(), key.qualified_name)
    names.setdefault(key.name.casefold(), key.qualified_name)
