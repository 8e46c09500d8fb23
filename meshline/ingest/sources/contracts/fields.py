"""What both dialects share in reading fields: references into the file, their number, near misses of keys."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping

from meshline.errors import InvalidInput
from meshline.graph.definitions import Part
from meshline.graph.model import Json
from meshline.ingest.documents import Document, Path
from meshline.ingest.values import mapping, text
from meshline.words import closest

MAX_FIELDS = 20_000  # of one contract, nested ones and those that references repeat counted
MAX_DEPTH = 24


class FieldReader:
    """Reads the parts of one contract; `warnings` and `refused` gather what is wrong with them, `lines` where they stand."""

    def __init__(self, document: Document, value: Json) -> None:
        self._document = document
        self._root = value
        self._fields = 0
        self._model = ""
        self.lines: dict[Part, int] = {}
        self.warnings: list[str] = []
        self.refused: list[InvalidInput] = []

    def where(self, place: Path) -> str:
        return self._document.where(place)

    def warn(self, place: Path, message: str) -> None:
        self.warnings.append(f"{self.where(place)}: {message}")

    def refuse(self, place: Path, message: str) -> None:
        self.refused.append(InvalidInput(message, self.where(place)))

    def at(self, place: Path, *part: str) -> None:
        """A part begins at a place; of several of one name the first."""
        self.lines.setdefault(part, self._document.line(place))

    def model(self, place: Path, name: str) -> None:
        """The model to which the fields belong from now on."""
        self._model = name
        self.at(place, "model", name)

    def field(self, place: Path, name: str) -> None:
        """Count a field. Raises InvalidInput if there are too many, or too deep."""
        self.at(place, "model", self._model, "field", name)
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise InvalidInput(f"more than {MAX_FIELDS} fields, counting what references repeat", self.where(place))
        if name.count(".") > MAX_DEPTH:
            raise InvalidInput(
                f"fields are nested more than {MAX_DEPTH} levels deep: does a reference lead back to itself?", self.where(place)
            )

    def known_keys(self, place: Path, value: Mapping[str, Json], known: Collection[str]) -> None:
        """Warn of keys that look like a known one: `requierd` would lose a promise."""
        for key in value:
            if key not in known and difflib.get_close_matches(key, list(known), n=1, cutoff=0.8):
                self.warn((*place, key), f"unknown key {key!r}{closest(key, known)}")

    def resolved(self, place: Path, value: Mapping[str, Json]) -> dict[str, Json]:
        """A field with what its `$ref` into the same file says; its own keys are stronger. Nothing is fetched."""
        own = dict(value)
        seen: set[str] = set()
        while isinstance(reference := own.pop("$ref", None), str):
            if not reference.startswith("#/"):
                self.warn((*place, "$ref"), f"{reference!r} is outside this file and is not fetched; only what stands here is read")
                break
            if reference in seen:
                self.refuse((*place, "$ref"), f"the reference {reference!r} leads back to itself")
                break
            seen.add(reference)
            target = self._target(reference)
            if target is None:
                self.refuse((*place, "$ref"), f"there is no {reference!r} in this file{self._near(reference)}")
                break
            own = {**target, **own}
        return own

    def _target(self, reference: str) -> dict[str, Json] | None:
        here = self._root
        for part in _parts(reference):
            here = mapping(here).get(part)
        return here if isinstance(here, dict) else None

    def _near(self, reference: str) -> str:
        *above, name = _parts(reference)
        here = self._root
        for part in above:
            here = mapping(here).get(part)
        return closest(name, mapping(here))


def _parts(reference: str) -> Iterator[str]:
    for part in reference.removeprefix("#/").split("/"):
        yield part.replace("~1", "/").replace("~0", "~")


def is_pii(classification: str, tags: Collection[str]) -> bool | None:
    """True where the classification or a tag says so; else nobody said."""
    return True if "pii" in {text(one).lower() for one in (classification, *tags)} else None
