"""The common part of the dialects: fields with references into the file, quality rules, and the checks of a whole contract."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.contracts import Contract, Part, Rule
from meshline.graph.model import Json
from meshline.ingest.documents import Document, Path, to_mapping, to_mappings, to_text
from meshline.ingest.validation import ValidationResult
from meshline.words import suggest_closest

MAX_FIELDS = 20_000  # of one contract, nested ones and those that references repeat counted
MAX_DEPTH = 24


class FieldReader:
    """Reads the parts of one contract. `warnings` and `refused` collect what is wrong with them, `lines` the line of each part."""

    def __init__(self, document: Document, value: Json) -> None:
        self._document = document
        self._root = value
        self._fields = 0
        self._model = ""
        self.lines: dict[Part, int] = {}
        self.warnings: list[str] = []
        self.refused: list[InvalidInput] = []

    def locate(self, place: Path) -> str:
        """The place of a part in messages: `file:line`."""
        return self._document.format_place(place)

    def warn(self, place: Path, message: str) -> None:
        """Add a warning about a place."""
        self.warnings.append(f"{self.locate(place)}: {message}")

    def refuse(self, place: Path, message: str) -> None:
        """Refuse the contract because of a place."""
        self.refused.append(InvalidInput(message, self.locate(place)))

    def record_line(self, place: Path, *part: str) -> None:
        """Record the line at which a part begins; of several parts with one name, the first."""
        self.lines.setdefault(part, self._document.find_line(place))

    def start_model(self, place: Path, name: str) -> None:
        """Begin a model: the fields that follow belong to it."""
        self._model = name
        self.record_line(place, "model", name)

    def start_field(self, place: Path, name: str) -> None:
        """Begin a field. Raises InvalidInput if there are too many fields, or if it is nested too deep."""
        self.record_line(place, "model", self._model, "field", name)
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise InvalidInput(f"the contract has more than {MAX_FIELDS} fields, counting those that references repeat", self.locate(place))
        if name.count(".") > MAX_DEPTH:
            raise InvalidInput(
                f"fields are nested more than {MAX_DEPTH} levels deep: does a reference lead back to itself?", self.locate(place)
            )

    def check_keys(self, place: Path, value: Mapping[str, Json], known: Collection[str]) -> None:
        """Warn about keys that look like a known one: a typing error such as `requierd` would lose a promise."""
        for key in value:
            if key not in known and difflib.get_close_matches(key, list(known), n=1, cutoff=0.8):
                self.warn((*place, key), f"unknown key {key!r}{suggest_closest(key, known)}")

    def resolve_references(self, place: Path, value: Mapping[str, Json]) -> dict[str, Json]:
        """A field merged with the target of its `$ref` in the same file; its own keys take precedence. Nothing is fetched."""
        own = dict(value)
        seen: set[str] = set()
        while isinstance(reference := own.pop("$ref", None), str):
            if not reference.startswith("#/"):
                self.warn(
                    (*place, "$ref"), f"{reference!r} is outside this file and is not fetched; only the keys beside the reference are read"
                )
                break
            if reference in seen:
                self.refuse((*place, "$ref"), f"the reference {reference!r} leads back to itself")
                break
            seen.add(reference)
            target = self._find_target(reference)
            if target is None:
                self.refuse((*place, "$ref"), f"there is no {reference!r} in this file{self._hint_reference(reference)}")
                break
            own = {**target, **own}
        return own

    def _find_target(self, reference: str) -> dict[str, Json] | None:
        here = self._root
        for part in _split_reference(reference):
            here = to_mapping(here).get(part)
        return here if isinstance(here, dict) else None

    def _hint_reference(self, reference: str) -> str:
        *above, name = _split_reference(reference)
        here = self._root
        for part in above:
            here = to_mapping(here).get(part)
        return suggest_closest(name, to_mapping(here))


def _split_reference(reference: str) -> Iterator[str]:
    for part in reference.removeprefix("#/").split("/"):
        yield part.replace("~1", "/").replace("~0", "~")


def is_pii(classification: str, tags: Collection[str]) -> bool | None:
    """True if the classification or a tag is `pii`; else None, which means unknown."""
    return True if "pii" in {to_text(one).lower() for one in (classification, *tags)} else None


MAX_NAME = 500  # characters of an id or version


class ParsedContract(NamedTuple):
    """The contract in a file; None if any part of it is refused, as half a promise would look like a withdrawn one.

    `lines`: the lines of its parts (`meshline.graph.contracts.Part`).
    """

    contract: Contract | None
    refused: tuple[InvalidInput, ...]
    warnings: tuple[str, ...]
    id: str = ""
    lines: Mapping[Part, int] = {}


def finish_contract(
    found: Document, contract: Contract, places: tuple[str, str], checked: ValidationResult, reader: FieldReader
) -> ParsedContract:
    """The contract, if no part of it is refused. `places`: the keys of its id and version, which are required."""
    refused = [*checked.refused, *reader.refused]
    for place, value in zip(places, (contract.id, contract.version), strict=True):
        path = tuple(place.split("."))
        if not value and not any(error.where == found.format_place(path) for error in refused):
            refused.append(InvalidInput(f"{place} is missing: a contract has an id and a version", found.format_place(path[:-1])))
        elif len(value) > MAX_NAME:
            refused.append(InvalidInput(f"{place} has more than {MAX_NAME} characters", found.format_place(path)))
    warnings = [*checked.warnings, *reader.warnings]
    reader.record_line(tuple(places[1].split(".")), "version")
    version = found.value
    for part in places[1].split("."):
        version = to_mapping(version).get(part)
    if isinstance(version, float):
        where = found.format_place(tuple(places[1].split(".")))
        warnings.append(f"{where}: {places[1]} is a number, so that 1.10 is read as 1.1; write it in quotes")
    refused.sort(key=lambda error: int(error.where.rpartition(":")[2]))
    return ParsedContract(None if refused else contract, tuple(refused), tuple(warnings), contract.id, reader.lines)


# key in the file -> comparison; the key of the newest version of the dialects comes first
_COMPARISONS = {
    "mustBe": "be",
    "mustNotBe": "not_be",
    "mustBeGreaterThan": "greater_than",
    "mustBeGreaterOrEqualTo": "greater_or_equal",
    "mustBeGreaterThanOrEqualTo": "greater_or_equal",
    "mustBeLessThan": "less_than",
    "mustBeLessOrEqualTo": "less_or_equal",
    "mustBeLessThanOrEqualTo": "less_or_equal",
    "mustBeBetween": "between",
    "mustNotBeBetween": "not_between",
}


def parse_rules(reader: FieldReader, place: Path, values: Mapping[str, Json], *, model: str, field: str = "") -> Iterator[Rule]:
    """The rules of a model or field at a place."""
    for i, one in enumerate(to_mappings(values.get("quality"))):
        found = parse_rule(one, model=model, field=field)
        of = ".".join(filter(None, (model, field)))
        reader.record_line((*place, "quality", i), "rule", of, found.name or found.metric or found.dimension or found.type)
        yield found


def parse_rule(values: Mapping[str, Json], *, model: str, field: str = "") -> Rule:
    """A rule about a model, or about one of its fields."""
    metric = to_text(values.get("metric")) or to_text(values.get("rule"))
    return Rule(
        type=to_text(values.get("type")) or ("library" if metric else "text"),
        model=model,
        field=field,
        name=to_text(values.get("name")),
        description=to_text(values.get("description")),
        dimension=to_text(values.get("dimension")),
        metric=metric,
        severity=to_text(values.get("severity")),
        schedule=to_text(values.get("schedule")),
        query=to_text(values.get("query")),
        engine=to_text(values.get("engine")),
        unit=to_text(values.get("unit")),
        expected={name: values[key] for key, name in reversed(_COMPARISONS.items()) if values.get(key) is not None},
        arguments=to_mapping(values.get("arguments")),
        specification=values.get("implementation") or values.get("specification"),
    )
