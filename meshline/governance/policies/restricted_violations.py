"""Violations as a caller sees them who may not see every asset: those of which he may read both ends, without what is hidden between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from meshline.governance.policies.policy import Policy
from meshline.governance.report import HiddenViolations, Step, Violation
from meshline.graph.index import LineageIndex
from meshline.graph.model import AssetKey


def split_violations(
    index: LineageIndex, policies: Mapping[str, Policy], found: Iterable[tuple[Violation, Sequence[AssetKey]]]
) -> tuple[tuple[Violation, ...], tuple[HiddenViolations, ...]]:
    """(those that the caller sees, how many others there are). `found`: each with the assets that it is about."""
    shown: list[Violation] = []
    others: Counter[tuple[str, str]] = Counter()
    for violation, ends in found:
        nodes = [index.assets.find_by_key(key) for key in ends]
        if all(node is not None and index.may_read(node) for node in nodes):
            shown.append(hide_parts(index, violation, policies[violation.policy].title, ends))
        else:
            others[violation.policy, violation.verdict] += 1
    hidden = (HiddenViolations(policy=policy, verdict=verdict, count=count) for (policy, verdict), count in sorted(others.items()))
    return tuple(shown), tuple(hidden)


def hide_parts(index: LineageIndex, violation: Violation, title: str, ends: Sequence[AssetKey]) -> Violation:
    """A violation of assets that the caller may read: its text is made of what policies name, which may be hidden, and so is not shown."""
    names = " and ".join(key.qualified_name for key in ends)
    return replace(violation, text=f"{title}: {names}", path=tuple(_join_hidden(index, violation.path)))


def _join_hidden(index: LineageIndex, path: Iterable[Step]) -> Iterator[Step]:
    """The steps between visible assets; each counts the hidden ones before it."""
    hidden, masking = 0, False
    for step in path:
        job = step.job if step.job is not None and index.assets.find(step.job.id) is not None else None
        if index.assets.find(step.asset.id) is None:
            hidden, masking = hidden + 1, masking or step.masking
        elif hidden:
            yield Step(asset=step.asset, edge=step.edge, masking=masking or step.masking, hidden=hidden)
            hidden, masking = 0, False
        else:
            yield replace(step, job=job)
