"""Rules by which names of one catalog mean the same datasets: `catalogs:` of the mesh file, and proposals that a person accepted.

The store keeps the rules of each mesh file and person. `apply_rules` states SAME_AS between two names of the graph if both exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from meshline.errors import InvalidInput, NotFound, StoreCorrupt
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetKey, EdgeFact, EdgeType, Facts, Scope, get_current_micros
from meshline.graph.naming_rules import KnownNames, Prefix, Rule
from meshline.graph.store.base import Batch, Record, RunReader, Store
from meshline.ingest.sources.base import Entry, Item, Reading, Unchanged
from meshline.ingest.sources.reading_loader import Loading, load_reading

if TYPE_CHECKING:
    from meshline.graph.live_graph import LiveGraph

RULES = "catalogs"  # JSON: the source that gives them -> its rules


def write_rules(store: Store, source: str, rules: Iterable[Rule]) -> None:
    """Write the rules of a mesh file to the store, in place of those that the file had before. Raises StoreUnavailable, StoreCorrupt."""
    given = list(rules)
    if _read_rules_of(_read_stored_rules(store), source) != given:
        store.commit(lambda _: Batch(settings=_replace_rules(store, source, given)))


def add_rule(store: Store, source: str, rule: Rule, record: Record) -> None:
    """Add a rule that a person accepts to those of the person, with its entry in the audit log, in one commit.

    Raises InvalidInput if a source states the rule already, StoreUnavailable, StoreCorrupt.
    """

    def build(_reader: RunReader) -> Batch:
        stated = next((name for name, known in read_rules_by_source(store).items() if rule in known), None)
        if stated is not None:
            raise InvalidInput(f"{stated} states this rule already: {rule}", "names")
        own = _read_rules_of(_read_stored_rules(store), source)
        return Batch(settings=_replace_rules(store, source, [*own, rule]), journal=(record,))

    store.commit(build)


def remove_rule(store: Store, source: str, rule: Rule, record: Record) -> None:
    """Remove a rule of a person, with the entry in the audit log, in one commit. Raises NotFound, StoreUnavailable, StoreCorrupt."""

    def build(_reader: RunReader) -> Batch:
        own = _read_rules_of(_read_stored_rules(store), source)
        if rule not in own:
            raise NotFound(f"{source} states no such rule: {rule}")
        return Batch(settings=_replace_rules(store, source, [one for one in own if one != rule]), journal=(record,))

    store.commit(build)


def read_rules(store: Store) -> list[Rule]:
    """The rules of all sources, a longer `also` before a shorter one; of equal ones only that of the first source by name.

    Raises StoreCorrupt.
    """
    found: dict[Prefix, Rule] = {}
    for rules in read_rules_by_source(store).values():
        for rule in rules:
            found.setdefault(rule.also, rule)
    return sorted(found.values(), key=lambda rule: (-len(rule.also.name), rule.also))


def read_rules_by_source(store: Store) -> dict[str, list[Rule]]:
    """The rules of each mesh file, and those that each person accepted, by name of the source. Raises StoreCorrupt."""
    stored = _read_stored_rules(store)
    return {source: _read_rules_of(stored, source) for source in sorted(stored)}


StoredRules: TypeAlias = dict[str, list[tuple[str, ...]]]  # also's namespace and name, names' namespace and name, perhaps IGNORE_CASE
IGNORE_CASE = "ignore case"


def _read_stored_rules(store: Store) -> StoredRules:
    text = store.read_setting(RULES)
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=StoredRules)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"the store's settings cannot be read ({error}): restore the store from a backup") from error


def _read_rules_of(stored: StoredRules, source: str) -> list[Rule]:
    return [Rule(Prefix(*parts[:2]), Prefix(*parts[2:4]), IGNORE_CASE in parts[4:]) for parts in stored.get(source, [])]


def _replace_rules(store: Store, source: str, rules: Sequence[Rule]) -> dict[str, str]:
    """The setting with other rules of one source. To be called within the commit: another process may write those of another source."""
    written = [(*rule.also, *rule.names, *([IGNORE_CASE] if rule.ignore_case else [])) for rule in rules]
    known = {**_read_stored_rules(store), source: written}
    return {RULES: msgspec.json.encode({name: known[name] for name in sorted(known) if known[name]}).decode()}


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
    return graph.index.changes.list_names_stated({prefix.namespace for rule in rules for prefix in (rule.also, rule.names)}, SOURCE)


def _find_links(referenced: ReferencedNames, rules: Sequence[Rule]) -> Iterator[_Link]:
    """The pairs that the rules join now. If several rules match a dataset, the one with the longest prefix applies."""
    by_namespace: dict[str, list[Rule]] = {}
    for rule in rules:
        by_namespace.setdefault(rule.also.namespace, []).append(rule)
    known = {rule.names.namespace: KnownNames(referenced[rule.names.namespace]) for rule in rules}
    for namespace, of_namespace in by_namespace.items():
        for name in referenced[namespace]:
            for rule in of_namespace:
                counterpart = rule.find_counterpart(name)
                if counterpart is not None:
                    other = known[rule.names.namespace].find(counterpart, ignore_case=rule.ignore_case)
                    if other is not None and (namespace, name) != (rule.names.namespace, other):
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
