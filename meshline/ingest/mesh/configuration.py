"""The rules that a mesh file gives to the whole graph: how names become keys, and which source is believed.

Both are needed before the graph is opened, and everybody who opens one store must use the same: so the
store remembers them.
"""

from __future__ import annotations

import msgspec

from meshline.errors import InvalidInput, StoreCorrupt
from meshline.graph.model import Precedence
from meshline.graph.naming import Naming
from meshline.graph.store.base import Store
from meshline.ingest.mesh.reading import Mesh

NAMING = "naming"  # the digest of the naming rules with which the store was written
NAMING_RULES = "naming.rules"  # the rules themselves: JSON list of [pattern, replacement]
PRECEDENCE = "precedence"  # JSON


def configuration(mesh: Mesh) -> tuple[Naming | None, Precedence | None]:
    """The naming and the precedence that a mesh file gives; None where it says nothing."""
    return (
        mesh.naming.naming() if mesh.naming is not None else None,
        mesh.precedence.precedence() if mesh.precedence is not None else None,
    )


def stored(store: Store) -> tuple[Naming, Precedence]:
    """The naming and the precedence that a store remembers; the defaults of a new one."""
    rules, precedence = store.setting(NAMING_RULES), store.setting(PRECEDENCE)
    try:
        naming = Naming(msgspec.json.decode(rules, type=list[tuple[str, str]])) if rules is not None else Naming()
        return naming, msgspec.json.decode(precedence, type=Precedence) if precedence is not None else Precedence()
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"the store's settings cannot be read ({error}): restore the store from a backup") from error


def configure(store: Store, naming: Naming | None = None, precedence: Precedence | None = None) -> tuple[Naming, Precedence]:
    """Give a store its rules, which it remembers (None: leave what it remembers), and say what holds from now on.

    Raises InvalidInput if the store was written with other naming rules: keys that are in it already
    would not be found again.
    """
    old_naming, old_precedence = stored(store)
    if naming is not None and naming.digest != old_naming.digest and store.revision() > 0:
        raise InvalidInput(
            "the naming rules are not those that the store was written with: make a store that follows them with"
            " `meshline replay --mesh FILE --to NEW_STORE`"
        )
    naming, precedence = naming or old_naming, precedence or old_precedence
    if store.setting(NAMING) != naming.digest:
        store.setting(NAMING_RULES, msgspec.json.encode([(t.pattern.pattern, t.replacement) for t in naming.trimmers]).decode())
        store.setting(NAMING, naming.digest)
    if precedence != old_precedence:
        store.setting(PRECEDENCE, msgspec.json.encode(precedence).decode())
    return naming, precedence
