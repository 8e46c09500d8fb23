"""Rules by which names of one catalog mean the same datasets: `catalogs:` of the mesh file.

The store keeps the rules of each mesh file. `apply_rules` states SAME_AS between two names of the graph if both exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetKey, EdgeFact, EdgeType, Facts, Scope, get_current_micros
from meshline.graph.naming import Naming, normalise_namespace
from meshline.graph.store.base import Batch, RunReader, Store
from meshline.ingest.sources.base import Entry, Item, Reading, Unchanged
from meshline.ingest.sources.reading_loader import Loading, load_reading

if TYPE_CHECKING:
    from meshline.graph.live_graph import LiveGraph

RULES = "catalogs"  # JSON: the source that gives them -> its rules
SEPARATORS = "./"  # between the parts of a name

_AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/]+)(?:/(.*))?", re.DOTALL)
_NO_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:///", re.DOTALL)


class Prefix(NamedTuple):
    """The beginning of names: their namespace, and the whole parts with which they begin ('': any)."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.name else self.namespace

    def find_rest(self, name: str) -> str | None:
        """What follows the prefix in a name of its namespace, with the separator if the prefix has a name; None if it does not match."""
        if not self.name:
            return name
        if not name.startswith(self.name):
            return None
        rest = name[len(self.name) :]
        return rest if len(rest) > 1 and rest[0] in SEPARATORS else None


class Rule(NamedTuple):
    """A dataset whose name begins with `also` is the dataset whose name begins with `names` and continues the same."""

    also: Prefix
    names: Prefix

    def __str__(self) -> str:
        return f"{self.also} is {self.names}"

    def find_counterpart(self, name: str) -> str | None:
        """The other name of the dataset `name` in the namespace of `also` by this rule; None if the rule does not apply.

        If `names` is a path, the rest is appended with a slash.
        """
        rest = self.also.find_rest(name)
        if rest is None:
            return None
        own, rest = (rest[0], rest[1:]) if self.also.name else (".", rest)
        if not self.names.name:
            return rest
        return self.names.name + ("/" if "/" in self.names.name else own) + rest


def parse_prefix(text: str, aliases: Mapping[str, str]) -> Prefix:
    """A prefix written as one text: an alias or a namespace, optionally followed by `/` and the beginning of names.

    The namespace of `scheme://host/...` ends after the host; `scheme:///path` is a namespace as a whole; in anything
    else it ends at the first slash.
    """
    first, _, rest = text.partition("/")
    if first in aliases:
        return build_prefix(aliases[first], rest)
    found = _AUTHORITY.fullmatch(text)
    if found is not None:
        return build_prefix(found[1], found[2] or "")
    if _NO_AUTHORITY.match(text):
        return build_prefix(text, "")
    return build_prefix(first, rest)


def build_prefix(namespace: str, name: str) -> Prefix:
    """A prefix with its namespace and name normalised as in the keys of datasets."""
    name = name.rstrip(SEPARATORS)
    if not name:
        return Prefix(normalise_namespace(namespace)[1], "")
    parts = Naming().normalise_dataset(namespace, name).parts
    return Prefix(parts[0], parts[1])


def write_rules(store: Store, source: str, rules: Iterable[Rule]) -> None:
    """Write the rules of a mesh file to the store, in place of those that the file had before. Raises StoreUnavailable, StoreCorrupt."""
    given = [(*rule.also, *rule.names) for rule in rules]

    def build(_reader: RunReader) -> Batch:  # within the commit: another process may write the rules of another file
        known = {**_read_stored_rules(store), source: given}
        return Batch(settings={RULES: msgspec.json.encode({name: known[name] for name in sorted(known) if known[name]}).decode()})

    if _read_stored_rules(store).get(source, []) != given:
        store.commit(build)


def read_rules(store: Store) -> list[Rule]:
    """The rules of all mesh files, a longer `also` before a shorter one; of equal ones only that of the first source by name.

    Raises StoreCorrupt.
    """
    found: dict[Prefix, Rule] = {}
    for _, rules in sorted(_read_stored_rules(store).items()):
        for also_namespace, also_name, namespace, name in rules:
            rule = Rule(Prefix(also_namespace, also_name), Prefix(namespace, name))
            found.setdefault(rule.also, rule)
    return sorted(found.values(), key=lambda rule: (-len(rule.also.name), rule.also))


def _read_stored_rules(store: Store) -> dict[str, list[tuple[str, str, str, str]]]:
    text = store.read_setting(RULES)
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, list[tuple[str, str, str, str]]])
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"the store's settings cannot be read ({error}): restore the store from a backup") from error


SOURCE = "naming/catalogs"
ReferencedNames: TypeAlias = Mapping[str, Mapping[str, int]]  # see `ChangeFacet.list_names_stated`


class _Link(NamedTuple):
    """A dataset, the dataset that is the same by a rule, and the scope that states so."""

    dataset: AssetKey
    same_as: AssetKey
    rule: Rule

    @property
    def scope(self) -> Scope:
        return ("same_as", str(self.rule), *self.dataset.parts)


def apply_rules(graph: LiveGraph) -> Loading | None:
    """State which datasets are the same by the rules in the store, and retract what the rules do not state any more.

    A dataset is joined only with one to which some source refers: a rule never creates a dataset. None if there
    are no rules, and never were. Raises StoreUnavailable.
    """
    rules = read_rules(graph.store)
    with graph.lock:
        known = graph.index.changes.list_statements(SOURCE)
        if not rules and not known:
            return None
        referenced = _collect_names(graph, rules)
    links = {link.scope: link for link in _find_links(referenced, rules)}  # the lock is free while names are compared
    with graph.lock:
        since = _find_reference_times(graph, [link for scope, link in links.items() if scope not in known])
    found: list[Item] = [Unchanged(scope) if scope in known else _build_entry(link, since) for scope, link in links.items()]
    return load_reading(graph, Reading(SOURCE, found, complete=True), get_current_micros())


def _collect_names(graph: LiveGraph, rules: Sequence[Rule]) -> ReferencedNames:
    """The names in the namespaces of the rules, by namespace."""
    return graph.index.changes.list_names_stated({prefix.namespace for rule in rules for prefix in rule}, SOURCE)


def _find_links(referenced: ReferencedNames, rules: Sequence[Rule]) -> Iterator[_Link]:
    """The pairs that the rules join now. If several rules match a dataset, the one with the longest prefix applies."""
    by_namespace: dict[str, list[Rule]] = {}
    for rule in rules:
        by_namespace.setdefault(rule.also.namespace, []).append(rule)
    for namespace, of_namespace in by_namespace.items():
        for name in referenced[namespace]:
            for rule in of_namespace:
                other = rule.find_counterpart(name)
                if other is not None:
                    if other in referenced[rule.names.namespace] and (namespace, name) != (rule.names.namespace, other):
                        yield _Link(model.build_dataset_key(namespace, name), model.build_dataset_key(rule.names.namespace, other), rule)
                    break


def _find_reference_times(graph: LiveGraph, links: Sequence[_Link]) -> dict[AssetKey, int]:
    return graph.index.changes.find_first_mentions({key for link in links for key in link[:2]}, SOURCE) if links else {}


def _build_entry(link: _Link, since: dict[AssetKey, int]) -> Entry:
    """The statement of a link. It is valid since both names are known, so that answers as of the past join them, too."""
    attributes = {"why": "naming rule", "rule": str(link.rule)}
    content = encode_facts(Facts(edges=(EdgeFact(EdgeType.SAME_AS, link.dataset, link.same_as, attributes),)))
    times = [since[key] for key in link[:2] if key in since]
    return Entry(link.scope, content, past=((max(times), content),) if times else ())
