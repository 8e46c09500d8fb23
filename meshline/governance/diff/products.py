"""Changes of a data product: its ports, promises, owners, and what it says of personal data."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.governance.changes import Change, SubjectKind
from meshline.governance.diff.draft import Draft, folded
from meshline.governance.diff.levels import level_changes
from meshline.governance.diff.owners import owner_changes
from meshline.governance.diff.ports import port_changes
from meshline.governance.diff.terms import term_changes
from meshline.graph import model
from meshline.graph.definitions import Pair, Version
from meshline.graph.model import AssetKey
from meshline.graph.promises import ENDED, NOT_YET, Product, Suite

_DEPRECATED = frozenset({"deprecated", "sunset"})


def product_changes(pair: Pair[Product]) -> list[Change]:
    before, after = pair
    if before is None or after is None:
        return [_whole(pair)]
    if before.value.name != after.value.name:  # the name is its key in the graph
        return [_whole(Pair(before, None)), _whole(Pair(None, after))]
    draft = Draft(SubjectKind.PRODUCT, before.value.name, before, after, (model.data_product(before.value.name),))
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
    return (model.data_product(version.value.name), *_outputs(version))


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
        columns = [model.column(dataset, name) for dataset in _outputs(before if key in old else after)]
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
