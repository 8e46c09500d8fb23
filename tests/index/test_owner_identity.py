"""Which written owners are one, whatever came first."""

from __future__ import annotations

from itertools import permutations

import pytest

from meshline.graph.index import Direction, LineageIndex
from meshline.graph.model import AssetFact, AssetKind, EdgeFact, EdgeType, Facts, Statement, build_owner_key
from meshline.graph.naming import find_email, parse_owner
from tests.index.heads import Fold, build_statement, to_dataset


def state_ownership(name: str, source: str = "openlineage/x") -> Statement:
    return build_statement(
        Facts(edges=(EdgeFact(EdgeType.OWNS, build_owner_key(name), to_dataset("a"), {"type": name}),)), ("owns", name), source=source
    )


def state_owner(name: str, email: str = "", type_: str = "", source: str = "mesh/m") -> Statement:
    attributes = {key: text for key, text in (("email", email), ("owner_type", type_)) if text}
    return build_statement(Facts(assets=(AssetFact(build_owner_key(name), attributes),)), ("owner", name), source=source)


def list_classes(*statements: Statement) -> list[str]:
    """`shown = form, form...` of each owner; the same whatever comes first, one by one or at once."""
    found = []
    for ordered in list(permutations(statements))[:24]:
        fold, index = Fold(), LineageIndex.load([], 0)
        for statement in ordered:
            index.changes.apply(fold.add(statement))
        assert index.dump() == fold.build_index().dump()
        named = {
            index.assets.get_key(node).name: sorted(key.name for key in index.assets.list_names(node))
            for node in index.assets.list_of_kind(AssetKind.OWNER)
        }
        found.append([f"{name} = {', '.join(forms)}" for name, forms in sorted(named.items())])
    assert all(one == found[0] for one in found)
    return found[0]


@pytest.mark.parametrize(
    "form", ["l@company.com", "L@Company.com", "team:lake", "group:lake", "team:l@company.com", "mailto:l@company.com"]
)
def test_forms_of_a_team(form: str) -> None:
    assert list_classes(state_ownership(form), state_owner("lake", "l@company.com", "team")) == [
        f"lake = {', '.join(sorted(('lake', form)))}"
    ]


def test_forms_of_a_person() -> None:
    found = list_classes(
        state_ownership("user:ana@company.com"),
        state_ownership("person:ana"),
        state_ownership("ana@company.com"),
        state_owner("ana", "ana@company.com", "person"),
    )
    assert found == ["ana = ana, ana@company.com, person:ana, user:ana@company.com"]


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        # without a source that states what they are
        ([state_ownership("a@x"), state_ownership("user:a@x")], ["a@x = a@x, user:a@x"]),
        ([state_ownership("team:x"), state_ownership("x")], ["x = team:x, x"]),
        ([state_ownership("team:x")], ["team:x = team:x"]),
        ([state_ownership("team:x"), state_ownership("user:x"), state_ownership("x")], ["team:x = team:x", "user:x = user:x", "x = x"]),
        ([state_ownership("application:x"), state_ownership("x")], ["application:x = application:x", "x = x"]),
        # a team is no person of the same name
        ([state_ownership("team:x"), state_owner("x", type_="person")], ["team:x = team:x", "x = x"]),
        ([state_ownership("team:x"), state_ownership("user:x"), state_owner("x", type_="person")], ["team:x = team:x", "x = user:x, x"]),
        # an address that the strongest source gives to two is neither's
        ([state_ownership("a@x"), state_owner("one", "a@x"), state_owner("two", "a@x")], ["a@x = a@x", "one = one", "two = two"]),
        ([state_ownership("a@x"), state_owner("one", "a@x"), state_owner("two", "a@x", source="dbt/d")], ["one = a@x, one, two"]),
        # an owner that a stronger source describes is not merged with another by what a weaker one states
        ([state_owner("one", "a@x"), state_owner("two", "b@x"), state_ownership("b@x")], ["one = one", "two = b@x, two"]),
        (
            [state_owner("one", "a@x"), state_owner("two", type_="person"), build_statement(None, ("none",)), state_ownership("a@x")],
            ["one = a@x, one", "two = two"],
        ),
    ],
)
def test_which_are_one(statements: list[Statement], expected: list[str]) -> None:
    assert list_classes(*statements) == expected


def test_a_name_that_a_strong_source_describes_stays_itself() -> None:
    """The mesh file has two people; dbt gives the one the other's address."""
    weak = build_statement(Facts(assets=(AssetFact(build_owner_key("two"), {"email": "a@x"}),)), ("dbt", "two"), source="dbt/d")
    assert list_classes(state_owner("one", "a@x"), state_owner("two", type_="person"), weak) == ["one = one", "two = two"]


def test_what_is_retracted_parts_them_again() -> None:
    fold, index = Fold(), LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_ownership("ana@x"), state_ownership("team:lake")))
    before = index.dump()
    index.changes.apply(fold.add(state_owner("ana", "ana@x")))
    (ana,) = [one.owner for one in index.ownership.list_direct_owners(get_node(index)) if one.type == "ana@x"]
    assert index.assets.get_key(ana) == build_owner_key("ana")
    assert index.assets.get_label(ana).name == "ana"
    index.changes.apply(fold.add(build_statement(None, ("owner", "ana"), 1, source="mesh/m")))
    assert index.dump() == before
    assert sorted(index.assets.get_label(one.owner).name for one in index.ownership.list_direct_owners(get_node(index))) == [
        "ana@x",
        "team:lake",
    ]


def test_an_impact_begins_at_what_is_owned_under_any_name() -> None:
    """The shown name of the owner is one that owns nothing itself."""
    index = LineageIndex.load([], 0)
    index.changes.apply(Fold().add(state_ownership("lake", "mesh/m"), state_owner("team:lake", "lake@x", "team", source="dbt/d")))
    owners = {index.assets.find_by_key(build_owner_key(name)) for name in ("lake", "team:lake")}
    for owner in owners:
        assert owner is not None
        assert index.lineage.traverse([owner], Direction.DOWNSTREAM).completeness.unbound == 0
    assert len(index.assets.list_of_kind(AssetKind.OWNER)) == 1


def get_node(index: LineageIndex) -> int:
    found = index.assets.find_by_key(to_dataset("a"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a@b.c", "a@b.c"),
        (" user:A@B.c ", "a@b.c"),
        ("mailto:a@b.c", "a@b.c"),
        ("@channel", ""),
        ("a b@c d", ""),
        ("team:x", ""),
        ("user:", ""),
    ],
)
def test_addresses(written: str, expected: str) -> None:
    assert find_email(written) == expected


def test_forms() -> None:
    assert parse_owner("team: lake ") == ("lake", "team")
    assert parse_owner("users:x") == ("users:x", "")
    assert parse_owner("user:") == ("user:", "")
