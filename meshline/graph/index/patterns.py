"""Rules by which names belong to a holder: `fnmatch` patterns, of which the longest that matches decides."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cached_property
from typing import NamedTuple

_WILD = re.compile(r"[*?\[]")


class Rule(NamedTuple):
    """A pattern, who holds what it matches, and the holder's name."""

    text: str
    holder: int
    label: tuple[str, ...]


class Patterns:
    """Many rules, tried few at a time: only those that begin, up to their first wildcard, as the name does."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Of rules that match, the longest decides; of those the first by the holder's name, then by the pattern."""
        self._by_beginning: dict[str, list[_Ranked]] = {}
        for rank, rule in enumerate(sorted(rules, key=lambda rule: (-len(rule.text), rule.label, rule.text))):
            wild = _WILD.search(rule.text)
            beginning = rule.text[: wild.start()] if wild else rule.text
            self._by_beginning.setdefault(beginning, []).append(_Ranked(rank, rule.text, len(beginning), rule.holder))
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})

    def holder(self, names: Iterable[str]) -> int | None:
        """Who holds an asset that has these names."""
        best: _Ranked | None = None
        for name in names:
            for length in self._lengths:
                if length > len(name):
                    break
                for rule in self._by_beginning.get(name[:length], ()):
                    if best is not None and rule.rank >= best.rank:
                        break
                    if rule.matches(name):
                        best = rule
                        break
        return None if best is None else best.holder


class _Ranked:
    """A rule in its place among all."""

    def __init__(self, rank: int, text: str, beginning: int, holder: int) -> None:
        self.rank = rank
        self.text = text
        self.beginning = beginning  # what is before the first wildcard; the name begins so
        self.holder = holder

    def matches(self, name: str) -> bool:
        rest = self._rest
        if rest == "*":
            return True
        if "*" not in rest and "[" not in rest:
            same = zip(rest, name[self.beginning :], strict=False)
            return len(name) == len(self.text) and all(wanted in ("?", given) for wanted, given in same)
        return self._compiled.match(name) is not None

    @property
    def _rest(self) -> str:
        return self.text[self.beginning :]

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(translate(self.text))
