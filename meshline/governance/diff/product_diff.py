"""Changes of a data product: its ports, service levels, owners, and what it states of personal data.

A port is the same one by its name, else its contract, else its location; where none of these was kept, by its type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from meshline.governance.changes import Change, ChangeBuilder, SubjectKind, fold_text
from meshline.governance.diff.contract_attributes import compare_owners, compare_terms
from meshline.governance.diff.service_levels import compare_levels
from meshline.graph import model
from meshline.graph.contracts import ENDED, NOT_YET, Level, Pair, PortSpec, Product, Suite, Version, build_level, build_port_names
from meshline.graph.model import AssetKey


class _Port(NamedTuple):
    """A port of one version. `name`: see `port_names`; `shown`: in sentences; `datasets`: what it is in the graph."""

    spec: PortSpec
    name: str
    shown: str
    datasets: tuple[AssetKey, ...]


def compare_ports(draft: ChangeBuilder, before: Version[Product], after: Version[Product]) -> Iterator[Change]:
    """The changes of input and output ports: added, removed, and edited ones."""
    for direction in ("output", "input"):
        old, new = _list_ports(before, direction), _list_ports(after, direction)
        matched, gone, added = _match_ports(old, new)
        for port in gone:
            yield _build_change(draft, f"{direction}-port-removed", port)
        for port in added:
            yield _build_change(draft, f"{direction}-port-added", port)
        for was, now in matched:
            yield from _compare_port(draft, was, now)


def _list_ports(version: Version[Product], direction: str) -> list[_Port]:
    ports = version.value.ports
    named = [(port, name) for port, name in zip(ports, build_port_names(ports), strict=True) if port.direction == direction]
    types = Counter(port.type for port, _ in named)
    return [_Port(port, name, _format_port(port, name, types), version.datasets.get(f"{direction}/{name}", ())) for port, name in named]


def _format_port(port: PortSpec, name: str, types: Counter[str]) -> str:
    """By its type, if it has no name and no other is of the type."""
    return port.type if port.type and types[port.type] == 1 and not port.name and not port.contract else name


def _build_change(
    draft: ChangeBuilder, rule: str, port: _Port, before: str | None = None, after: str | None = None, *, at: str = "", key: str = ""
) -> Change:
    """Of an output port the datasets change; an input port changes the product alone, and `datasets` names what it reads."""
    direction = port.spec.direction
    return draft.build_change(
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


def _compare_port(draft: ChangeBuilder, was: _Port, now: _Port) -> Iterator[Change]:
    rule = f"{was.spec.direction}-port-changed"
    shown = was if was.spec.direction == "output" else was._replace(datasets=now.datasets)
    for key, old, new in _list_differences(was, now):
        yield _build_change(draft, rule, shown, old, new, at=now.name, key=key)
    if was.spec.direction == "output":
        if now.spec.deprecated and not was.spec.deprecated:
            yield _build_change(draft, "output-port-deprecated", was, at=now.name)
        yield from compare_levels(
            draft, _build_refresh_levels(was, was.name), _build_refresh_levels(now, was.name), assets=was.datasets or None
        )


def _list_differences(was: _Port, now: _Port) -> Iterator[tuple[str, str, str]]:
    """The keys that differ, with their values.

    A value that is stated for the first time, or no longer, is no difference as long as the datasets are the same.
    """
    old, new = was.spec, now.spec
    moved = was.datasets != now.datasets or not was.datasets
    if old.endpoint != new.endpoint and moved and (old.endpoint or not old.contract):
        yield "endpoint", old.endpoint, new.endpoint
    if old.contract and old.contract != new.contract:
        yield "contract", old.contract, new.contract
    for key in ("name", "type", "format"):
        one, other = fold_text(getattr(old, key)), fold_text(getattr(new, key))
        if one and other and one.casefold() != other.casefold():
            yield key, one, other
    if old.version and new.version and _parse_major(old.version) != _parse_major(new.version):
        yield "version", old.version, new.version
    if old.direction == "input" and old.refresh and new.refresh and fold_text(old.refresh) != fold_text(new.refresh):
        yield "refresh", fold_text(old.refresh), fold_text(new.refresh)


def _build_refresh_levels(port: _Port, name: str) -> list[Level]:
    """How often it is refreshed, as a promise under the port's name of before."""
    return [build_level("refresh", fold_text(port.spec.refresh), element=name.replace(",", " "))] if port.spec.refresh.strip() else []


def _parse_major(version: str) -> str:
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


def _match_ports(old: Sequence[_Port], new: Sequence[_Port]) -> tuple[list[tuple[_Port, _Port]], list[_Port], list[_Port]]:
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
    for was, now in sorted(pairs, key=lambda pair: _compute_similarity(*pair), reverse=True):
        if was in gone and now in added:
            match(was, now)
    return found, gone, added


def _may_be(was: PortSpec, now: PortSpec) -> bool:
    """Whether they may be one port of which the endpoint was edited: neither has a name or contract of its own, their types agree."""
    return not (was.name and now.name) and not (was.contract and now.contract) and was.type.casefold() == now.type.casefold() != ""


def _compute_similarity(was: _Port, now: _Port) -> tuple[float, str, str]:
    return SequenceMatcher(None, was.spec.endpoint, now.spec.endpoint, autojunk=False).ratio(), was.name, now.name


_DEPRECATED = frozenset({"deprecated", "sunset"})


def compare_products(pair: Pair[Product]) -> list[Change]:
    """The changes between two versions of a data product. Another name is another product."""
    before, after = pair
    if before is None or after is None:
        return [_build_whole_change(pair)]
    if before.value.name != after.value.name:  # the name is its key in the graph
        return [_build_whole_change(Pair(before, None)), _build_whole_change(Pair(None, after))]
    draft = ChangeBuilder(SubjectKind.PRODUCT, before.value.name, before, after, (model.build_data_product_key(before.value.name),))
    old, new = before.value, after.value
    return [
        *_compare_status(draft, old, new, _list_exposed(before)),
        *compare_levels(draft, old.slo, new.slo),
        *compare_ports(draft, before, after),
        *compare_owners(draft, old.owners, new.owners),
        *_compare_domain(draft, old, new),
        *_compare_personal_data(draft, before, after),
        *_compare_checks(draft, old, new),
        *compare_terms(draft, old.terms, new.terms),
    ]


def _build_whole_change(pair: Pair[Product]) -> Change:
    version = pair.before or pair.after
    assert version is not None
    rule = "product-removed" if pair.after is None else "product-added"
    return ChangeBuilder(SubjectKind.PRODUCT, version.value.name, *pair, _list_exposed(version)).build_change(rule)


def _list_exposed(version: Version[Product]) -> tuple[AssetKey, ...]:
    """The product, and the datasets of its output ports."""
    return (model.build_data_product_key(version.value.name), *_list_outputs(version))


def _list_outputs(version: Version[Product]) -> list[AssetKey]:
    return [key for port, keys in version.datasets.items() if port.startswith("output/") for key in keys]


def _compare_status(draft: ChangeBuilder, old: Product, new: Product, exposed: tuple[AssetKey, ...]) -> Iterator[Change]:
    was, now = _normalize_status(old), _normalize_status(new)
    if now in ENDED and was not in ENDED | NOT_YET:
        yield draft.build_change("product-ended", ("status",), was or "active", now, assets=exposed)
    elif now in _DEPRECATED and was not in _DEPRECATED | ENDED:
        yield draft.build_change("deprecated", ("status",), was or None, now)


def _normalize_status(product: Product) -> str:
    return fold_text(product.status.lower().replace("_", " "))


def _compare_domain(draft: ChangeBuilder, old: Product, new: Product) -> Iterator[Change]:
    if old.domain != new.domain:
        yield draft.build_change("domain-changed", ("domain",), old.domain or None, new.domain or None)


def _compare_personal_data(draft: ChangeBuilder, before: Version[Product], after: Version[Product]) -> Iterator[Change]:
    """Which columns hold personal data: those of that name in the datasets of its output ports."""
    old = {name.casefold(): name for name in before.value.pii_columns}
    new = {name.casefold(): name for name in after.value.pii_columns}
    for key in sorted(old.keys() ^ new.keys()):
        name = old.get(key) or new[key]
        columns = [model.build_column_key(dataset, name) for dataset in _list_outputs(before if key in old else after)]
        rule, *values = ("classification-removed", "pii", None) if key in old else ("classification-raised", None, "pii")
        yield draft.build_change(rule, ("field", name), *values, assets=columns or None, field=name)


def _compare_checks(draft: ChangeBuilder, old: Product, new: Product) -> Iterator[Change]:
    """A check is the same one by its tool and suite; of one suite of a tool, by the tool."""
    was, now = {_format_check(one): one for one in old.quality_checks}, {_format_check(one): one for one in new.quality_checks}
    for name in sorted(was.keys() | now.keys()):
        rule = None
        if name not in now:
            rule = "quality-rule-removed"
        elif name not in was:
            rule = "quality-rule-added"
        elif fold_text(was[name].run) != fold_text(now[name].run):
            rule = "quality-rule-changed"
        if rule is not None:
            runs = (fold_text(side[name].run) or None if name in side else None for side in (was, now))
            yield draft.build_change(rule, ("rule", name), *runs, rule_name=name)


def _format_check(check: Suite) -> str:
    return fold_text(f"{check.tool} {check.suite}")
