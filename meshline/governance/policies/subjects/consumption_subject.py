"""Who uses what: consumers, and products by their input ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from meshline.governance.policies.evaluation_context import MOST, Look, Scope
from meshline.governance.policies.subjects import Candidate, Fields, Parameters, Subject
from meshline.governance.policies.subjects.commitment_subjects import past, registered
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.queries.contract_versions import Version

FIELDS = {
    "consumer": "the name of who uses it",
    "consumer_kind": "CONSUMER, or DATA_PRODUCT for an input port",
    "consumer_tags": "the tags of who uses it",
    "circles": "to whom the user belongs, in lower case: its name, its tags, its owners, the domains that these own, its own domain",
    "dataset": "the dataset that is used, or an empty text if a product as a whole is",
    "dataset_tags": "the tags of the dataset",
    "product": "the product that the dataset belongs to, or that is used; or an empty text",
    "product_tags": "the tags of the product",
    "port": "whether it is an output port of a product, or a product as a whole",
    "registered": "whether a source says what the product is, and not only that it is used",
    "registered_in": "the catalogs in which the product's specification says that it is registered",
    "domain": "the domain of what is used, or an empty text",
    "own": "whether the user is the product that the dataset belongs to",
    "columns": "how many columns are named; 0: it is used as a whole",
    "contract": "the id of the contract that covers the use, or an empty text",
    "contract_known": "whether a source says what that contract is",
    "contract_version": "the version that is used, if the use names one, else the version that is shown",
    "contract_ended": "whether that version is retired, or past the date to which it is supported",
    "contract_roles": "the names of the roles that the contract lets read",
    "purpose": "what for, or an empty text",
}


class Use(NamedTuple):
    user: int
    used: int  # a dataset or a product
    columns: int
    said: tuple[int, ...]  # numbers of attributes


def uses(look: Look) -> list[Use]:
    """Each pair once."""
    found = look.shared.get("uses")
    if found is None:
        found = look.shared["uses"] = list(_uses(look, None))
    return list(found)


def _uses(look: Look, scope: Scope | None) -> Iterator[Use]:
    tied, ports, index = look.consumes, look.inputs, look.index
    users = np.concatenate([tied.start, ports.product])
    ends = np.concatenate([tied.end, ports.dataset])
    said = np.concatenate([tied.said, ports.said])
    of_column = index.lineage.get_kinds(ends) == _COLUMN
    used = ends.copy()
    used[of_column] = index.lineage.get_datasets(ends[of_column])
    if scope is not None:
        rows = np.flatnonzero(_touched(look, scope, users, used, said))
        users, used, said, of_column, ends = users[rows], used[rows], said[rows], of_column[rows], ends[rows]
    order = np.lexsort((used, users))
    pairs: dict[tuple[int, int], tuple[set[int], set[int]]] = {}
    for row in order.tolist():
        columns, numbers = pairs.setdefault((int(users[row]), int(used[row])), (set(), set()))
        numbers.add(int(said[row]))
        if of_column[row]:
            columns.add(int(ends[row]))
    for (user, of), (columns, numbers) in pairs.items():
        yield Use(user, of, len(columns), tuple(sorted(numbers)))


def _touched(look: Look, scope: Scope, users: Ints, used: Ints, said: Ints) -> Flags:
    """What is used by who is touched, is touched itself, or is covered by a contract that is."""
    wanted = np.array(sorted(scope.datasets | scope.products), np.int32)
    contracts = {look.index.assets.get_label(node).name for node in scope.touched if look.index.assets.get_kind(node) is AssetKind.CONTRACT}
    numbers = [number for number in np.unique(said).tolist() if look.said(number).get("contract") in contracts] if contracts else []
    found: Flags = np.isin(users, sorted(scope.touched)) | np.isin(used, wanted) | np.isin(said, numbers)
    return found


def candidates(look: Look, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    index = look.index
    chosen = uses(look) if scope is None else list(_uses(look, scope))
    products = {use.used for use in chosen if index.assets.get_kind(use.used) is AssetKind.DATA_PRODUCT}
    datasets = np.array(sorted({use.used for use in chosen} - products), np.int32)
    holders = dict(zip(datasets.tolist(), index.ownership.find_products(datasets).tolist(), strict=True))
    contracts = {name: node for use in chosen if (name := _text(look, use, "contract")) and (node := _contract(look, name)) is not None}
    look.prefetch({*contracts.values(), *products, *(node for node in holders.values() if node >= 0)})
    for use in chosen:
        whole = use.used in products
        product = use.used if whole else holders[use.used]
        yield Candidate(_Use(look, parameters, use, product, contracts, whole=whole).fields(), use.user, use.used)


class _Use:
    """The fields of one use."""

    def __init__(self, look: Look, parameters: Parameters, use: Use, product: int, contracts: Mapping[str, int], *, whole: bool) -> None:
        self._look, self._parameters, self._use, self._product, self._whole = look, parameters, use, product, whole
        self._contract = _text(look, use, "contract")
        self._node = contracts.get(self._contract)

    def fields(self) -> Fields:
        look, use, product = self._look, self._use, self._product
        known: dict[str, object] = {
            "parameters": self._parameters,
            "consumer_kind": str(look.index.assets.get_kind(use.user)),
            "port": self._whole or use.used in look.exposed,
            "own": product == use.user,
            "columns": use.columns,
            "contract": self._contract,
            "contract_known": self._node is not None,
            "purpose": _text(look, use, "purpose"),
        }
        return Fields(
            known,
            {
                "name": lambda: look.name(use.used),
                "consumer": lambda: look.name(use.user),
                "consumer_tags": lambda: look.tags(use.user),
                "circles": lambda: list(look.circles(use.user)),
                "dataset": lambda: "" if self._whole else look.name(use.used),
                "dataset_tags": lambda: [] if self._whole else look.tags(use.used),
                "product": lambda: look.name(product),
                "product_tags": lambda: look.tags(product),
                "registered": lambda: product >= 0 and registered(look, product),
                "registered_in": lambda: [] if product < 0 else _listed(look.known(product).value("registered_in")),
                "domain": lambda: look.name(look.index.ownership.find_domain(use.used)),
                "contract_version": self._used_version,
                "contract_ended": self._ended,
                "contract_roles": lambda: [role.name for role in self._versions()[0].contract.roles][:MOST] if self._versions() else [],
            },
        )

    def _versions(self) -> list[Version]:
        return [] if self._node is None else self._look.versions(self._node)

    def _used_version(self) -> str:
        said = _text(self._look, self._use, "version")
        shown = self._versions()
        return said or (shown[0].contract.version if shown else "")

    def _ended(self) -> bool:
        version = self._used_version()
        found = next((one.contract for one in self._versions() if one.contract.version == version), None)
        shown = self._versions()
        if found is None:  # a version that nobody knows any more, of a contract that has others
            return bool(shown) and _text(self._look, self._use, "version") != "" and any(one.contract.version for one in shown)
        return found.ended or past(found, self._look.now)


def _text(look: Look, use: Use, name: str) -> str:
    said = sorted(text for number in use.said if isinstance(text := look.said(number).get(name), str))
    return said[0] if said else ""


def _contract(look: Look, identifier: str) -> int | None:
    return look.index.assets.find_by_key(AssetKey(AssetKind.CONTRACT, (identifier,)))


def _listed(said: object) -> list[str]:
    return [one for one in said if isinstance(one, str)][:MOST] if isinstance(said, list) else []


def _covers(look: Look, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.touched or end in scope.datasets or end in scope.products


_COLUMN = tuple(AssetKind).index(AssetKind.COLUMN)

SUBJECT = Subject(
    "consumption",
    "Every use of a dataset or product by a consumer, or by a product through an input port; once, however many columns are named.",
    FIELDS,
    candidates,
    _covers,
)
