"""Assets and their parts as the tools of agents are given them, and as they answer with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, TypeAlias

from meshline.app.agents.answers import limit_list
from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.words import shorten_text

Ask: TypeAlias = Callable[[str, Mapping[str, object]], Mapping[str, Any]]  # a query and its variables; raises MeshlineError
Content: TypeAlias = dict[str, Json]
SHOWN_NAME = 120  # characters of a name in a sentence


class Asset(NamedTuple):
    """An asset that a name was resolved to. `dataset`: the id of a column's dataset."""

    id: str
    kind: str
    name: str
    dataset: str | None

    @property
    def quoted(self) -> str:
        """The name as a sentence of ours may contain it."""
        return f'"{shorten_text(self.name, SHOWN_NAME)}"'


@cache
def read_query(name: str) -> str:
    return (files("meshline.app.agents") / "queries" / f"{name}.graphql").read_text("utf-8")


def resolve_asset(ask: Ask, name: str, kind: str | None = None) -> Asset:
    """The one asset that a name refers to; `kind`: which it must be. Raises MeshlineError: NOT_FOUND with similar names, AMBIGUOUS."""
    asked = name if kind is None or ":" in name or "_" in name[:5] else f"{kind.lower()}:{name}"
    found = ask(read_query("resolve"), {"name": asked})["resolve"]
    dataset = found.get("dataset")
    asset = Asset(found["id"], found["kind"], found["qualifiedName"], None if dataset is None else dataset["id"])
    if kind is not None and asset.kind != kind:
        raise InvalidInput(f"{asset.quoted} is a {asset.kind.lower()}; accepted is a {kind.lower()}", kind.lower())
    return asset


RESTRICTED = ["You may see only some assets of the mesh: others are not looked at."]


def describe_owner(ownership: Mapping[str, Any]) -> Content:
    owner, level = ownership["owner"], ownership["inheritedFrom"]
    why = "stated for the asset itself" if level is None else f"inherited from its {get_kind_name(level['kind'])}"
    return drop_empty(
        {
            "owner": owner["name"],
            "title": owner["title"],
            "type": ownership["type"],
            "contact": owner["contact"],
            "why": why,
            "from": get_name(level),
            "source": ownership.get("source"),
        }
    )


def get_kinds(kinds: Iterable[str] | None) -> list[Json] | None:
    """Kinds by their names in the schema; None for all."""
    found: list[Json] = ["DATA_PRODUCT" if kind == "product" else kind.upper() for kind in kinds or ()]
    return found or None


def get_kind_name(kind: str) -> str:
    return kind.lower().removeprefix("data_")


def get_name(asset: Mapping[str, Any] | None) -> str | None:
    return None if asset is None else str(asset.get("qualifiedName") or asset["name"])


def name_asset(asset: Mapping[str, Any]) -> Content:
    return {"id": asset["id"], "kind": get_kind_name(asset["kind"]), "name": asset["qualifiedName"]}


def list_owner_names(asset: Mapping[str, Any]) -> list[Json]:
    return limit_list(dict.fromkeys(one["owner"]["name"] for one in asset["owners"]), 5)


def lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def select(values: Mapping[str, Any], *names: str) -> Content:
    return {name: values[name] for name in names}


def drop_empty(values: Mapping[str, Any]) -> Content:
    """Without what is not known: null, and empty texts and lists."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}
