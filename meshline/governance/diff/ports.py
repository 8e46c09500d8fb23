"""Changes of a product's ports. A port is the same one by its name, else its contract, else where it is; where none of these
was kept, by its type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from meshline.governance.changes import Change
from meshline.governance.diff.draft import Draft, folded
from meshline.governance.diff.levels import level_changes
from meshline.graph.definitions import Version
from meshline.graph.model import AssetKey
from meshline.graph.promises import Level, PortSpec, Product, level, port_names


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
