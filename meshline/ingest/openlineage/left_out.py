"""Facets that are left out of an event before it is ingested and kept, since its sender may not state them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from meshline.ingest.openlineage.repair import Note, repair_event

_SHOWN = 5


class LeftOut(NamedTuple):
    """`of`: where the facets are, as keys and positions: ("inputs", 0). `facets`: their names. `why`: what the sender is answered."""

    of: tuple[str | int, ...]
    facets: tuple[str, ...]
    why: str

    def build_note(self) -> Note:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.of)
        shown = ", ".join(f"`{name[:60]}`" for name in self.facets[:_SHOWN])
        more = f" and {len(self.facets) - _SHOWN} more" if len(self.facets) > _SHOWN else ""
        return Note(f"${path}.facets", f"{shown}{more}: left out, since {self.why}")


def leave_out_facets(body: bytes, left_out: Iterable[LeftOut]) -> bytes:
    """The event without these facets. `body`: of an event that was parsed, in which they were found."""
    event = msgspec.json.decode(repair_event(body, []))
    for one in left_out:
        found = event
        for part in one.of:
            found = found[part]
        for name in one.facets:
            found["facets"].pop(name, None)
    return msgspec.json.encode(event)
