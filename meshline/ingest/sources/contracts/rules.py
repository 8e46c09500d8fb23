"""Rules of quality, which both dialects write alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meshline.graph.model import Json
from meshline.graph.promises import Rule
from meshline.ingest.documents import Path
from meshline.ingest.sources.contracts.fields import FieldReader
from meshline.ingest.values import mapping, mappings, text

# key in the file: comparison; names of older versions of the dialects after the newest
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


def rules(reader: FieldReader, place: Path, said: Mapping[str, Json], *, model: str, field: str = "") -> Iterator[Rule]:
    """The rules of a model or field that stands at a place."""
    for i, one in enumerate(mappings(said.get("quality"))):
        found = rule(one, model=model, field=field)
        of = ".".join(filter(None, (model, field)))
        reader.at((*place, "quality", i), "rule", of, found.name or found.metric or found.dimension or found.type)
        yield found


def rule(said: Mapping[str, Json], *, model: str, field: str = "") -> Rule:
    """A rule about a model, or a field of it."""
    metric = text(said.get("metric")) or text(said.get("rule"))
    return Rule(
        type=text(said.get("type")) or ("library" if metric else "text"),
        model=model,
        field=field,
        name=text(said.get("name")),
        description=text(said.get("description")),
        dimension=text(said.get("dimension")),
        metric=metric,
        severity=text(said.get("severity")),
        schedule=text(said.get("schedule")),
        query=text(said.get("query")),
        engine=text(said.get("engine")),
        unit=text(said.get("unit")),
        expected={name: said[key] for key, name in reversed(_COMPARISONS.items()) if said.get(key) is not None},
        arguments=mapping(said.get("arguments")),
        specification=said.get("implementation") or said.get("specification"),
    )
