"""Uses of datasets and products: by consumers, and by products through their input ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from meshline.governance.policies.commitment_subjects import is_past_end, is_registered
from meshline.governance.policies.subject import MOST, Candidate, EvaluationContext, Fields, Parameters, Scope, Subject
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.queries.contract_versions import Version

FIELDS = {
    "consumer": "the name of the consumer or product that uses it",
    "consumer_kind": "CONSUMER, or DATA_PRODUCT for an input port",
    "consumer_tags": "the tags of the consumer or product that uses it",
    "circles": "the groups of the user, in lower case: its name, tags and owners, the domains that these own, its own domain",
    "dataset": "the dataset that is used, or an empty text if a product as a whole is",
    "dataset_tags": "the tags of the dataset",
    "product": "the product that the dataset belongs to, or that is used; or an empty text",
    "product_tags": "the tags of the product",
    "port": "whether it is an output port of a product, or a product as a whole",
    "registered": "whether a source describes the product, and does not only state that it is used",
    "registered_in": "the catalogs in which the product is registered, by its specification",
    "domain": "the domain of what is used, or an empty text",
    "own": "whether the user is the product that the dataset belongs to",
    "columns": "how many columns are named; 0: it is used as a whole",
    "contract": "the id of the contract that covers the use, or an empty text",
    "contract_known": "whether a source describes that contract",
    "contract_version": "the version that is used, if the use names one, else the version that is shown",
    "contract_ended": "whether that version is retired, or past the date to which it is supported",
    "contract_roles": "the names of the roles to which the contract grants access",
    "purpose": "the purpose of the use, or an empty text",
}


class Use(NamedTuple):
    """A user and what it uses, by nodes; `columns`: how many columns are named."""

    user: int
    used: int  # a dataset or a product
    columns: int
    attributes: tuple[int, ...]  # numbers of attributes


def list_uses(context: EvaluationContext) -> list[Use]:
    """Each pair of a user and a used asset, once."""
    found = context.shared.get("uses")
    if found is None:
        found = context.shared["uses"] = list(_collect_uses(context, None))
    return list(found)


def _collect_uses(context: EvaluationContext, scope: Scope | None) -> Iterator[Use]:
    tied, ports, index = context.consumes, context.inputs, context.index
    users = np.concatenate([tied.start, ports.product])
    ends = np.concatenate([tied.end, ports.dataset])
    attributes = np.concatenate([tied.attribute_number, ports.attributes])
    of_column = index.lineage.get_kinds(ends) == _COLUMN
    used = ends.copy()
    used[of_column] = index.lineage.get_datasets(ends[of_column])
    if scope is not None:
        rows = np.flatnonzero(_select_affected(context, scope, users, used, attributes))
        users, used, attributes, of_column, ends = users[rows], used[rows], attributes[rows], of_column[rows], ends[rows]
    order = np.lexsort((used, users))
    pairs: dict[tuple[int, int], tuple[set[int], set[int]]] = {}
    for row in order.tolist():
        columns, numbers = pairs.setdefault((int(users[row]), int(used[row])), (set(), set()))
        numbers.add(int(attributes[row]))
        if of_column[row]:
            columns.add(int(ends[row]))
    for (user, of), (columns, numbers) in pairs.items():
        yield Use(user, of, len(columns), tuple(sorted(numbers)))


def _select_affected(context: EvaluationContext, scope: Scope, users: Ints, used: Ints, attributes: Ints) -> Flags:
    """A mask (bool, by use) of uses whose user, used asset or covering contract is affected."""
    wanted = np.array(sorted(scope.datasets | scope.products), np.int32)
    contracts = {
        context.index.assets.get_label(node).name for node in scope.affected if context.index.assets.get_kind(node) is AssetKind.CONTRACT
    }
    numbers = (
        [number for number in np.unique(attributes).tolist() if context.get_attributes(number).get("contract") in contracts]
        if contracts
        else []
    )
    found: Flags = np.isin(users, sorted(scope.affected)) | np.isin(used, wanted) | np.isin(attributes, numbers)
    return found


def list_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    index = context.index
    chosen = list_uses(context) if scope is None else list(_collect_uses(context, scope))
    products = {use.used for use in chosen if index.assets.get_kind(use.used) is AssetKind.DATA_PRODUCT}
    datasets = np.array(sorted({use.used for use in chosen} - products), np.int32)
    owning_products = dict(zip(datasets.tolist(), index.ownership.find_products(datasets).tolist(), strict=True))
    contracts = {
        name: node
        for use in chosen
        if (name := _get_text(context, use, "contract")) and (node := _find_contract(context, name)) is not None
    }
    context.prefetch({*contracts.values(), *products, *(node for node in owning_products.values() if node >= 0)})
    for use in chosen:
        whole = use.used in products
        product = use.used if whole else owning_products[use.used]
        yield Candidate(_Use(context, parameters, use, product, contracts, whole=whole).build_fields(), use.user, use.used)


class _Use:
    """The fields of one use."""

    def __init__(
        self, context: EvaluationContext, parameters: Parameters, use: Use, product: int, contracts: Mapping[str, int], *, whole: bool
    ) -> None:
        self._context, self._parameters, self._use, self._product, self._whole = context, parameters, use, product, whole
        self._contract = _get_text(context, use, "contract")
        self._node = contracts.get(self._contract)

    def build_fields(self) -> Fields:
        context, use, product = self._context, self._use, self._product
        known: dict[str, object] = {
            "parameters": self._parameters,
            "consumer_kind": str(context.index.assets.get_kind(use.user)),
            "port": self._whole or use.used in context.exposed,
            "own": product == use.user,
            "columns": use.columns,
            "contract": self._contract,
            "contract_known": self._node is not None,
            "purpose": _get_text(context, use, "purpose"),
        }
        return Fields(
            known,
            {
                "name": lambda: context.get_name(use.used),
                "consumer": lambda: context.get_name(use.user),
                "consumer_tags": lambda: context.list_tags(use.user),
                "circles": lambda: list(context.list_circles(use.user)),
                "dataset": lambda: "" if self._whole else context.get_name(use.used),
                "dataset_tags": lambda: [] if self._whole else context.list_tags(use.used),
                "product": lambda: context.get_name(product),
                "product_tags": lambda: context.list_tags(product),
                "registered": lambda: product >= 0 and is_registered(context, product),
                "registered_in": lambda: [] if product < 0 else _list_texts(context.read_attributes(product).find_value("registered_in")),
                "domain": lambda: context.get_name(context.index.ownership.find_domain(use.used)),
                "contract_version": self._get_used_version,
                "contract_ended": self._has_ended,
                "contract_roles": lambda: (
                    [role.name for role in self._list_versions()[0].contract.roles][:MOST] if self._list_versions() else []
                ),
            },
        )

    def _list_versions(self) -> list[Version]:
        return [] if self._node is None else self._context.list_versions(self._node)

    def _get_used_version(self) -> str:
        stated = _get_text(self._context, self._use, "version")
        shown = self._list_versions()
        return stated or (shown[0].contract.version if shown else "")

    def _has_ended(self) -> bool:
        version = self._get_used_version()
        found = next((one.contract for one in self._list_versions() if one.contract.version == version), None)
        shown = self._list_versions()
        if found is None:  # an unknown version of a contract that has others
            return bool(shown) and _get_text(self._context, self._use, "version") != "" and any(one.contract.version for one in shown)
        return found.has_ended or is_past_end(found, self._context.now)


def _get_text(context: EvaluationContext, use: Use, name: str) -> str:
    texts = sorted(text for number in use.attributes if isinstance(text := context.get_attributes(number).get(name), str))
    return texts[0] if texts else ""


def _find_contract(context: EvaluationContext, identifier: str) -> int | None:
    return context.index.assets.find_by_key(AssetKey(AssetKind.CONTRACT, (identifier,)))


def _list_texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)][:MOST] if isinstance(value, list) else []


def _covers(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.affected or end in scope.datasets or end in scope.products


_COLUMN = tuple(AssetKind).index(AssetKind.COLUMN)

SUBJECT = Subject(
    "consumption",
    "Every use of a dataset or product by a consumer, or by a product through an input port; once, however many columns are named.",
    FIELDS,
    list_candidates,
    _covers,
)
