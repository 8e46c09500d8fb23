"""Data products: documentation, promises, registration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from meshline.governance.freshness_feasibility import Feasibility, of_products
from meshline.governance.policies.evaluation_context import MOST, Look, Scope
from meshline.governance.policies.subjects.subject import Candidate, Fields, Parameters, Subject
from meshline.graph import durations
from meshline.graph.model import AssetKind, Json

FIELDS = {
    "title": "its title, or an empty text",
    "description": "its description, or an empty text",
    "version": "its version, or an empty text",
    "status": "its status, or an empty text",
    "domain": "the name of its domain, or an empty text",
    "owners": "the names of its owners, or of its domain's",
    "tags": "its tags, `key` or `key=value`",
    "all_tags": "its tags and those of the datasets at its output ports",
    "slo": "its service levels: name -> {text, seconds, ratio}; seconds and ratio are null where the text is none",
    "output_ports": "how many datasets are its output ports",
    "input_ports": "how many datasets are its input ports",
    "registered": "whether a source says what it is, and not only that it is used",
    "registered_in": "the catalogs in which its specification says that it is registered",
    "feasible": "whether it can be as fresh as it promises: FEASIBLE, INFEASIBLE or UNKNOWN",
    "promised": "how old its data may be, in seconds, or null",
    "least": "how old its data gets at least, by what is known, in seconds, or null",
    "arithmetic": "how that is known",
    "missing": "missing fields: owner, description, service level",
}


def candidates(look: Look, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    chosen = look.all_of(AssetKind.DATA_PRODUCT) if scope is None else [node for node in sorted(scope.products) if look.index.visible(node)]
    look.prefetch(chosen)
    found: dict[int, Feasibility] = {}

    def feasibility(product: int) -> Feasibility:
        if not found:
            found.update(zip(chosen, of_products(look.live, look.index, chosen), strict=True))
        return found[product]

    for product in chosen:
        yield Candidate(_fields(look, parameters, product, partial(feasibility, product)), product)


def _fields(look: Look, parameters: Parameters, product: int, feasibility: Callable[[], Feasibility]) -> Fields:
    known = look.known(product)
    return Fields(
        {
            "name": look.name(product),
            "parameters": parameters,
            "title": known.text("title") or "",
            "description": known.text("description") or "",
            "version": known.text("version") or "",
            "status": known.text("status") or "",
            "slo": _levels(known.value("slo")),
            "registered_in": _texts(known.value("registered_in")),
        },
        {
            "domain": lambda: look.name(look.index.domain(product)),
            "owners": lambda: look.owners(product),
            "tags": lambda: look.tags(product),
            "all_tags": lambda: all_tags(look, product),
            "registered": lambda: registered(look, product),
            "output_ports": lambda: len(set(look.outputs.dataset[look.outputs.product == product].tolist())),
            "input_ports": lambda: len(set(look.inputs.dataset[look.inputs.product == product].tolist())),
            "feasible": lambda: str(feasibility().standing),
            "promised": lambda: feasibility().promised,
            "least": lambda: feasibility().least,
            "arithmetic": lambda: feasibility().text,
            "missing": lambda: _missing(look, product),
        },
    )


def _missing(look: Look, product: int) -> list[str]:
    known = look.known(product)
    has = {"owner": look.owners(product), "description": known.text("description"), "service level": _levels(known.value("slo"))}
    return [name for name, found in has.items() if not found]


def registered(look: Look, product: int) -> bool:
    """Whether a source says something of it, or of its ports or domain."""
    if any(row.attribute != "spelling" for row in look.known(product).rows):
        return True
    return bool((look.outputs.product == product).any()) or look.index.domain(product) is not None


def all_tags(look: Look, product: int) -> list[str]:
    own = set(look.index.tags(product))
    own.update(*(look.index.tags(dataset) for dataset in set(look.outputs.dataset[look.outputs.product == product].tolist())))
    return sorted(own)[:MOST]


def _levels(said: Json) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {}
    for name, value in said.items() if isinstance(said, dict) else ():
        measure = durations.said(value)
        if measure is not None:
            found[name] = {"text": measure.text, "seconds": measure.seconds, "ratio": measure.ratio}
    return found


def _texts(said: Json) -> list[str]:
    values = said if isinstance(said, list) else [said]
    return [value for value in values if isinstance(value, str)][:MOST]


def _covers(look: Look, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.products


SUBJECT = Subject("product", "Every data product.", FIELDS, candidates, _covers)
