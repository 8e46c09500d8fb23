"""Changes of a data product: its ports, service levels, owners, and what it states of personal data.

A port is the same one by its name, else its contract, else its location; where none of these was kept, by its type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from meshline.governance.changes import Change, SubjectKind
from meshline.governance.diff.change_builder import Draft, folded
from meshline.governance.diff.contract_attributes import owner_changes, term_changes
from meshline.governance.diff.service_levels import level_changes
from meshline.graph import model
from meshline.graph.contracts import ENDED, NOT_YET, Level, Pair, PortSpec, Product, Suite, Version, level, port_names
from meshline.graph.model import AssetKey


class _Port(NamedTuple):
    """A port of one version. `name`: see `port_names`; `shown`: in sentences; `datasets`: what it is in the graph."""

    spec: PortSpec
    name: str
    shown: str
    datasets: tuple[AssetKey, ...]


def port_changes(draft: Draft, before: Version[Product], after: Version[Product]) -> Iterator[Change]:
    for direction in ("output", "input"):
        old, new = _ports(before, direction), _ports(after, direction)
        matched, gone, added = _matched(old, new)
        for port in gone:
            yield _change(draft, f"{direction}-port-removed", port)
        for port in added:
            yield _change(draft, f"{direction}-port-added", port)
        for was, now in matched:
            yield from _edited(draft, was, now)


def _ports(version: Version[Product], direction: str) -> list[_Port]:
    ports = version.value.ports
    named = [(port, name) for port, name in zip(ports, port_names(ports), strict=True) if port.direction == direction]
    types = Counter(port.type for port, _ in named)
    return [_Port(port, name, _shown(port, name, types), version.datasets.get(f"{direction}/{name}", ())) for port, name in named]


def _shown(port: PortSpec, name: str, types: Counter[str]) -> str:
    """By its type, if it has no name and no other is of the type."""
    return port.type if port.type and types[port.type] == 1 and not port.name and not port.contract else name


def _change(
    draft: Draft, rule: str, port: _Port, before: str | None = None, after: str | None = None, *, at: str = "", key: str = ""
) -> Change:
    """Of an output port the datasets change; an input port changes the product alone, and `datasets` says what it reads."""
    direction = port.spec.direction
    return draft.change(
        rule,
        ("port", direction, port.name),
        before,
        after,
        at=("port", direction, at or port.name),
        assets=port.datasets if direction == "output" and port.datasets else None,
        port=port.shown,
        key=key or None,
        datasets=[dataset.qualified_name for dataset in port.datasets] if direction == "input" else None,
    )


# -- what is compared


def _edited(draft: Draft, was: _Port, now: _Port) -> Iterator[Change]:
    rule = f"{was.spec.direction}-port-changed"
    shown = was if was.spec.direction == "output" else was._replace(datasets=now.datasets)
    for key, old, new in _differing(was, now):
        yield _change(draft, rule, shown, old, new, at=now.name, key=key)
    if was.spec.direction == "output":
        if now.spec.deprecated and not was.spec.deprecated:
            yield _change(draft, "output-port-deprecated", was, at=now.name)
        yield from level_changes(draft, _refresh(was, was.name), _refresh(now, was.name), assets=was.datasets or None)


def _differing(was: _Port, now: _Port) -> Iterator[tuple[str, str, str]]:
    """The keys that differ, with their values. What is said for the first time, or left out, is the same as long as the data is."""
    old, new = was.spec, now.spec
    moved = was.datasets != now.datasets or not was.datasets
    if old.endpoint != new.endpoint and moved and (old.endpoint or not old.contract):
        yield "endpoint", old.endpoint, new.endpoint
    if old.contract and old.contract != new.contract:
        yield "contract", old.contract, new.contract
    for key in ("name", "type", "format"):
        one, other = folded(getattr(old, key)), folded(getattr(new, key))
        if one and other and one.casefold() != other.casefold():
            yield key, one, other
    if old.version and new.version and _major(old.version) != _major(new.version):
        yield "version", old.version, new.version
    if old.direction == "input" and old.refresh and new.refresh and folded(old.refresh) != folded(new.refresh):
        yield "refresh", folded(old.refresh), folded(new.refresh)


def _refresh(port: _Port, name: str) -> list[Level]:
    """How often it is refreshed, as a promise under the port's name of before."""
    return [level("refresh", folded(port.spec.refresh), element=name.replace(",", " "))] if port.spec.refresh.strip() else []


def _major(version: str) -> str:
    return version.strip().lstrip("vV").partition(".")[0]


# -- which is which

_KEYS: tuple[Callable[[_Port], Hashable], ...] = (  # what a port may be known by, the surest first; empty: not by that
    lambda port: (port.spec.name, port.spec.version) if port.spec.name and port.spec.version else "",
    lambda port: (port.spec.name, port.spec.contract, port.spec.endpoint) if port.spec.name else "",
    lambda port: port.spec.name,
    lambda port: (port.spec.type.casefold(), port.spec.contract, port.spec.endpoint) if port.spec.contract or port.spec.endpoint else "",
    lambda port: port.spec.contract,
    lambda port: port.spec.endpoint,
    lambda port: port.datasets,
)


def _matched(old: Sequence[_Port], new: Sequence[_Port]) -> tuple[list[tuple[_Port, _Port]], list[_Port], list[_Port]]:
    """Ports that are the same, those that are gone, and those that are new."""
    found: list[tuple[_Port, _Port]] = []
    gone, added = list(old), list(new)

    def match(was: _Port, now: _Port) -> None:
        found.append((was, now))
        gone.remove(was)
        added.remove(now)

    for key in _KEYS:
        for was in tuple(gone):
            same = [now for now in added if key(was) and key(now) == key(was)]
            if len(same) == 1 and sum(key(one) == key(was) for one in gone) == 1:
                match(was, same[0])
    pairs = [(was, now) for was in gone for now in added if _may_be(was.spec, now.spec)]
    for was, now in sorted(pairs, key=lambda pair: _likeness(*pair), reverse=True):
        if was in gone and now in added:
            match(was, now)
    return found, gone, added


def _may_be(was: PortSpec, now: PortSpec) -> bool:
    """Whether they may be one port of which the endpoint was edited: neither has a name or contract of its own, their types agree."""
    return not (was.name and now.name) and not (was.contract and now.contract) and was.type.casefold() == now.type.casefold() != ""


def _likeness(was: _Port, now: _Port) -> tuple[float, str, str]:
    return SequenceMatcher(None, was.spec.endpoint, now.spec.endpoint, autojunk=False).ratio(), was.name, now.name


_DEPRECATED = frozenset({"deprecated", "sunset"})


def product_changes(pair: Pair[Product]) -> list[Change]:
    before, after = pair
    if before is None or after is None:
        return [_whole(pair)]
    if before.value.name != after.value.name:  # the name is its key in the graph
        return [_whole(Pair(before, None)), _whole(Pair(None, after))]
    draft = Draft(SubjectKind.PRODUCT, before.value.name, before, after, (model.build_data_product_key(before.value.name),))
    old, new = before.value, after.value
    return [
        *_status(draft, old, new, _exposed(before)),
        *level_changes(draft, old.slo, new.slo),
        *port_changes(draft, before, after),
        *owner_changes(draft, old.owners, new.owners),
        *_domain(draft, old, new),
        *_personal(draft, before, after),
        *_checks(draft, old, new),
        *term_changes(draft, old.terms, new.terms),
    ]


def _whole(pair: Pair[Product]) -> Change:
    version = pair.before or pair.after
    assert version is not None
    rule = "product-removed" if pair.after is None else "product-added"
    return Draft(SubjectKind.PRODUCT, version.value.name, *pair, _exposed(version)).change(rule)


def _exposed(version: Version[Product]) -> tuple[AssetKey, ...]:
    """The product, and the datasets of its output ports."""
    return (model.build_data_product_key(version.value.name), *_outputs(version))


def _outputs(version: Version[Product]) -> list[AssetKey]:
    return [key for port, keys in version.datasets.items() if port.startswith("output/") for key in keys]


def _status(draft: Draft, old: Product, new: Product, exposed: tuple[AssetKey, ...]) -> Iterator[Change]:
    was, now = _standing(old), _standing(new)
    if now in ENDED and was not in ENDED | NOT_YET:
        yield draft.change("product-ended", ("status",), was or "active", now, assets=exposed)
    elif now in _DEPRECATED and was not in _DEPRECATED | ENDED:
        yield draft.change("deprecated", ("status",), was or None, now)


def _standing(product: Product) -> str:
    return folded(product.status.lower().replace("_", " "))


def _domain(draft: Draft, old: Product, new: Product) -> Iterator[Change]:
    if old.domain != new.domain:
        yield draft.change("domain-changed", ("domain",), old.domain or None, new.domain or None)


def _personal(draft: Draft, before: Version[Product], after: Version[Product]) -> Iterator[Change]:
    """Which columns hold personal data: those of that name in the datasets of its output ports."""
    old = {name.casefold(): name for name in before.value.pii_columns}
    new = {name.casefold(): name for name in after.value.pii_columns}
    for key in sorted(old.keys() ^ new.keys()):
        name = old.get(key) or new[key]
        columns = [model.build_column_key(dataset, name) for dataset in _outputs(before if key in old else after)]
        rule, *said = ("classification-removed", "pii", None) if key in old else ("classification-raised", None, "pii")
        yield draft.change(rule, ("field", name), *said, assets=columns or None, field=name)


def _checks(draft: Draft, old: Product, new: Product) -> Iterator[Change]:
    """A check is the same one by its tool and suite; of one suite of a tool, by the tool."""
    was, now = {_called(one): one for one in old.quality_checks}, {_called(one): one for one in new.quality_checks}
    for name in sorted(was.keys() | now.keys()):
        rule = None
        if name not in now:
            rule = "quality-rule-removed"
        elif name not in was:
            rule = "quality-rule-added"
        elif folded(was[name].run) != folded(now[name].run):
            rule = "quality-rule-changed"
        if rule is not None:
            runs = (folded(side[name].run) or None if name in side else None for side in (was, now))
            yield draft.change(rule, ("rule", name), *runs, rule_name=name)


def _called(check: Suite) -> str:
    return folded(f"{check.tool} {check.suite}")
