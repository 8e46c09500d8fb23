"""Data products, contracts and the promises of both, and changes to tables that a contract governs: the kinds `product`, `contract`,
`promise` and `change`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from meshline.governance.changes import Change, SubjectKind
from meshline.governance.freshness_feasibility import Feasibility, assess_products
from meshline.governance.policies.subject import MOST, NO_NODE, Candidate, EvaluationContext, Fields, Parameters, Scope, Subject
from meshline.governance.rules import Verdict
from meshline.graph import durations
from meshline.graph.contracts import Contract, parse_major_version
from meshline.graph.model import AssetKey, AssetKind, EdgeType, Json

PRODUCT_FIELDS = {
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
    "registered": "whether a source describes it, and does not only state that it is used",
    "registered_in": "the catalogs in which it is registered, by its specification",
    "feasible": "whether it can be as fresh as it promises: FEASIBLE, INFEASIBLE or UNKNOWN",
    "promised": "how old its data may be, in seconds, or null",
    "least": "how old its data gets at least, by the known part, in seconds, or null",
    "arithmetic": "how that is computed",
    "missing": "missing fields: owner, description, service level",
}


def list_product_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    chosen = (
        context.list_all(AssetKind.DATA_PRODUCT)
        if scope is None
        else [node for node in sorted(scope.products) if context.index.assets.is_visible(node)]
    )
    context.prefetch(chosen)
    found: dict[int, Feasibility] = {}

    def get_feasibility(product: int) -> Feasibility:
        if not found:
            found.update(zip(chosen, assess_products(context.live, context.index, chosen), strict=True))
        return found[product]

    for product in chosen:
        yield Candidate(_build_product_fields(context, parameters, product, partial(get_feasibility, product)), product)


def _build_product_fields(
    context: EvaluationContext, parameters: Parameters, product: int, feasibility: Callable[[], Feasibility]
) -> Fields:
    known = context.read_attributes(product)
    return Fields(
        {
            "name": context.get_name(product),
            "parameters": parameters,
            "title": known.find_text("title") or "",
            "description": known.find_text("description") or "",
            "version": known.find_text("version") or "",
            "status": known.find_text("status") or "",
            "slo": _collect_product_levels(known.find_value("slo")),
            "registered_in": _list_texts(known.find_value("registered_in")),
        },
        {
            "domain": lambda: context.get_name(context.index.ownership.find_domain(product)),
            "owners": lambda: context.list_owners(product),
            "tags": lambda: context.list_tags(product),
            "all_tags": lambda: collect_product_tags(context, product),
            "registered": lambda: is_registered(context, product),
            "output_ports": lambda: len(set(context.outputs.dataset[context.outputs.product == product].tolist())),
            "input_ports": lambda: len(set(context.inputs.dataset[context.inputs.product == product].tolist())),
            "feasible": lambda: str(feasibility().standing),
            "promised": lambda: feasibility().promised,
            "least": lambda: feasibility().least,
            "arithmetic": lambda: feasibility().text,
            "missing": lambda: _list_missing(context, product),
        },
    )


def _list_missing(context: EvaluationContext, product: int) -> list[str]:
    known = context.read_attributes(product)
    has = {
        "owner": context.list_owners(product),
        "description": known.find_text("description"),
        "service level": _collect_product_levels(known.find_value("slo")),
    }
    return [name for name, found in has.items() if not found]


def is_registered(context: EvaluationContext, product: int) -> bool:
    """Whether a source states attributes of it, its ports or its domain."""
    if any(row.attribute != "spelling" for row in context.read_attributes(product).rows):
        return True
    return bool((context.outputs.product == product).any()) or context.index.ownership.find_domain(product) is not None


def collect_product_tags(context: EvaluationContext, product: int) -> list[str]:
    """The tags of a product and of the datasets at its output ports."""
    own = set(context.index.assets.list_tags(product))
    own.update(
        *(context.index.assets.list_tags(dataset) for dataset in set(context.outputs.dataset[context.outputs.product == product].tolist()))
    )
    return sorted(own)[:MOST]


def _collect_product_levels(value: Json) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {}
    for name, level in value.items() if isinstance(value, dict) else ():
        measure = durations.convert_measure(level)
        if measure is not None:
            found[name] = {"text": measure.text, "seconds": measure.seconds, "ratio": measure.ratio}
    return found


def _list_texts(value: Json) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str)][:MOST]


def _covers_product(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.products


PRODUCT = Subject("product", "Every data product.", PRODUCT_FIELDS, list_product_candidates, _covers_product)


CONTRACT_FIELDS = {
    "title": "its title, or an empty text",
    "description": "its description, or an empty text",
    "version": "the version that is shown: the newest in force",
    "status": "its status, or an empty text",
    "in_force": "whether consumers can rely on it now: it is neither a draft nor ended",
    "ended": "whether it is retired, or the date to which it is supported is past",
    "owners": "the names of its owners",
    "tags": "its tags, `key` or `key=value`",
    "all_tags": "its tags and those of the datasets that it governs",
    "slo": "its service levels: name -> {text, seconds, ratio}",
    "datasets": "the datasets that it governs",
    "roles": "the names of the roles that it lets read",
}

# Service levels that state the date on which a contract ends.
_ENDS = re.compile(r"end_?of_?(life|support)|expir(y|es|ation)|valid_?(to|until)", re.IGNORECASE)


def list_contract_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    chosen = (
        context.list_all(AssetKind.CONTRACT)
        if scope is None
        else [node for node in sorted(scope.contracts) if context.index.assets.is_visible(node)]
    )
    context.prefetch(chosen)
    for node in chosen:
        yield Candidate(_build_contract_fields(context, parameters, node), node)


def _build_contract_fields(context: EvaluationContext, parameters: Parameters, node: int) -> Fields:
    found = context.list_versions(node)
    contract = found[0].contract if found else Contract(id=context.index.assets.get_label(node).name)
    return Fields(
        {
            "name": context.get_name(node),
            "parameters": parameters,
            "title": contract.title,
            "description": contract.description,
            "version": contract.version,
            "status": contract.status,
            "in_force": contract.is_in_force and not is_past_end(contract, context.now),
            "ended": contract.has_ended or is_past_end(contract, context.now),
            "slo": collect_levels(contract),
            "roles": [role.name for role in contract.roles][:MOST],
        },
        {
            "owners": lambda: context.list_owners(node),
            "tags": lambda: sorted({*context.index.assets.list_tags(node), *contract.tags})[:MOST],
            "all_tags": lambda: _collect_contract_tags(context, node, contract),
            "datasets": lambda: [context.get_name(of) for of in _list_governed(context, node)][:MOST],
        },
    )


def collect_levels(contract: Contract) -> dict[str, Mapping[str, str | float | None]]:
    """The service levels of the whole contract; the first of several with one name."""
    found: dict[str, Mapping[str, str | float | None]] = {}
    for one in contract.sla:
        found.setdefault(one.name, {"text": one.text, "seconds": one.seconds, "ratio": one.ratio})
    return found


def is_past_end(contract: Contract, now: datetime) -> bool:
    """Whether a date on which the contract ends is in the past."""
    dates = [_parse_time(one.text) for one in contract.sla if _ENDS.fullmatch(one.name)]
    return any(date is not None and date < now for date in dates)


def _parse_time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _list_governed(context: EvaluationContext, contract: int) -> list[int]:
    return sorted(set(context.governs.end[context.governs.start == contract].tolist()))


def _collect_contract_tags(context: EvaluationContext, node: int, contract: Contract) -> list[str]:
    own = {*context.index.assets.list_tags(node), *contract.tags, *(tag for model in contract.models for tag in model.tags)}
    own.update(*(context.index.assets.list_tags(dataset) for dataset in _list_governed(context, node)))
    return sorted(own)[:MOST]


def _covers_contract(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.contracts


CONTRACT = Subject("contract", "Every contract, by the version that is shown.", CONTRACT_FIELDS, list_contract_candidates, _covers_contract)


PROMISE_FIELDS = {
    "holder_kind": "DATA_PRODUCT or CONTRACT",  # codespell:ignore holder
    "in_force": "whether consumers can rely on it now; always true for a product",
    "version": "its version, or an empty text",
    "tags": "its tags, `key` or `key=value`",
    "all_tags": "its tags and those of the datasets at its output ports, or that it governs",
    "slo": "its service levels: name -> {text, seconds, ratio}; seconds and ratio are null where the text is none",
}


def list_promise_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    for one in list_product_candidates(context, parameters, scope):
        yield one._replace(fields=_build_promise_fields(context, one, in_force=True))
    for one in list_contract_candidates(context, parameters, scope):
        yield one._replace(fields=_build_promise_fields(context, one, in_force=one.fields["in_force"]))


def _build_promise_fields(context: EvaluationContext, one: Candidate, *, in_force: bool) -> Fields:
    known = {name: one.fields[name] for name in ("name", "parameters", "version", "slo")}
    costly = {"tags": lambda: one.fields["tags"], "all_tags": lambda: one.fields["all_tags"]}
    kind = str(context.index.assets.get_kind(one.asset))
    return Fields({**known, "in_force": in_force, "holder_kind": kind}, costly)  # codespell:ignore holder


def _covers_promise(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.products or asset in scope.contracts


PROMISE = Subject(
    "promise",
    "Every data product, and every contract by the version that is shown.",
    PROMISE_FIELDS,
    list_promise_candidates,
    _covers_promise,
)


CHANGE_FIELDS = {
    "rule": "the id of the rule of change",
    "verdict": "its verdict: compatible, conditional or breaking",
    "changed": "the name of what is changed",
    "contract": "the contract in force that governs it",
    "version": "the version of that contract in the graph",
    "new_version": "the newest version of it as it would be after the change",
    "new_major": "whether that is a new major version",
}

CHANGES = "changes"  # the key of a sequence of GovernedChange in `EvaluationContext.shared`


class GovernedChange(NamedTuple):
    """A change to a table that a contract in force governs, and that contract's version before it."""

    change: Change
    verdict: Verdict
    contract: int
    version: str
    changed: int  # the column or dataset, or NO_NODE


def find_governed_changes(context: EvaluationContext, judged: Sequence[tuple[Change, Verdict]]) -> list[GovernedChange]:
    """Call it before the change is supposed: dropped assets are not found afterwards."""
    found: list[GovernedChange] = []
    for change, verdict in judged:
        for contract in _list_contracts(context, change) if change.subject.kind is SubjectKind.TABLE else ():
            shown = next((one.contract for one in context.list_versions(contract)), None)
            if shown is not None and shown.is_in_force:
                found.append(GovernedChange(change, verdict, contract, shown.version, _find_changed_node(context, change)))
    return found


def list_change_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:  # noqa: ARG001
    changes: Sequence[GovernedChange] = context.shared.get(CHANGES, ())
    for one in changes:
        after = next((version.contract for version in context.list_versions(one.contract)), None)
        yield Candidate(_build_change_fields(context, parameters, one, "" if after is None else after.version), one.contract, one.changed)


def _list_contracts(context: EvaluationContext, change: Change) -> list[int]:
    index = context.index
    keys = {AssetKey(AssetKind.DATASET, key.parts[:2]) for key in change.assets if key.kind in (AssetKind.COLUMN, AssetKind.DATASET)}
    datasets = {node for key in keys if (node := index.assets.find_by_key(key)) is not None}
    contracts = {edge.start for node in datasets for edge in index.ownership.list_edges(node, EdgeType.GOVERNS, incoming=True)}
    return sorted(contracts, key=index.assets.get_key)


def _find_changed_node(context: EvaluationContext, change: Change) -> int:
    found = (context.index.assets.find_by_key(key) for key in change.assets)
    return next((node for node in found if node is not None), NO_NODE)


def _build_change_fields(context: EvaluationContext, parameters: Parameters, one: GovernedChange, version: str) -> Fields:
    name = ".".join((one.change.subject.name, *one.change.subject.part[1::2]))
    return Fields(
        {
            "name": name,
            "parameters": parameters,
            "rule": one.change.rule,
            "verdict": one.verdict.name.lower(),
            "changed": name,
            "contract": context.index.assets.get_label(one.contract).name,
            "version": one.version,
            "new_version": version,
            "new_major": parse_major_version(version) > parse_major_version(one.version),
        }
    )


def _covers_change(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return False


CHANGE = Subject(
    "change",
    "Every change to a table that a check finds, once for each contract in force that governs it. Contracts and products have versions of"
    " their own: the rule `major-version-missing` looks at those.",
    CHANGE_FIELDS,
    list_change_candidates,
    _covers_change,
)
