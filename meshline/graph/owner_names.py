"""The forms in which sources write an owner: a name, an e-mail address, or either with a prefix that names its kind.

OpenLineage recommends `team:NAME` and `user:NAME` (specification, OwnershipDatasetFacet); Airflow, Debezium and contracts
give e-mail addresses. Which forms are one owner is worked out by `meshline.graph.index.owner_identity`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TEAM, PERSON = "team", "person"

_KINDS = {"team": TEAM, "group": TEAM, "user": PERSON, "person": PERSON, "mailto": ""}
_EMAIL = re.compile(r"[^\s@:/]+@[^\s@:/]+")


class OwnerForm(NamedTuple):
    """A written owner, taken apart. `name`: without its prefix; an e-mail address in lower case. `kind`: TEAM, PERSON or ''."""

    name: str
    kind: str

    @property
    def is_email(self) -> bool:
        return is_email(self.name)


def owner_form(written: str) -> OwnerForm:
    text = written.strip()
    prefix, _, rest = text.partition(":")
    kind = _KINDS.get(prefix.strip().casefold())
    if kind is None or not rest.strip():
        kind, rest = "", text
    name = rest.strip()
    return OwnerForm(name.casefold() if is_email(name) else name, kind)


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text.strip()) is not None


def address(written: str) -> str:
    """The e-mail address that an owner is written as; empty if it is not."""
    form = owner_form(written)
    return form.name if form.is_email else ""
