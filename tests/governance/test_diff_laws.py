"""Laws of the difference between two versions: what must hold of any."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from meshline.governance.changes import Change
from meshline.governance.diff import compare_versions
from meshline.governance.report_values import format_sentence
from meshline.governance.rules import RULES
from meshline.graph.contracts import Contract, Definition, Field, Level, Model, Pair, Party, Role, Rule, Server, Terms, Version, build_level
from meshline.graph.model import build_column_key, build_dataset_key

T = TypeVar("T")
NAMES = ("id", "email", "amount", "status", "address", "tags", "created_at", "country")
TYPES = ("string", "int", "bigint", "decimal", "decimal(18,2)", "timestamp", "varchar(20)")
TABLE = build_dataset_key("wh", "sales.orders")


def sample_some(draw: random.Random, options: Sequence[T], least: int = 0) -> tuple[T, ...]:
    return tuple(draw.sample(options, draw.randint(least, len(options))))


def draw_field(draw: random.Random, name: str) -> Field:
    pick = draw.choice
    return Field(
        name,
        type=pick(TYPES),
        required=pick([None, True, False]),
        unique=pick([None, True]),
        primary_key=pick([None, True]),
        enum=sample_some(draw, ["a", "b", "c", 1, None]),
        minimum=pick([None, 0, 1.5, "2024-01-01"]),
        max_length=pick([None, 10, 20]),
        pattern=pick(["", "^a+$"]),
        classification=pick(["", "internal", "restricted", "pii"]),
        pii=pick([None, True, False]),
        tags=sample_some(draw, ["pii", "x", "y"]),
    )


def draw_level(draw: random.Random, name: str) -> Level:
    return build_level(
        name, draw.choice(["1h", "99.9%", "P1Y", "unlimited", "office hours"]), element=draw.choice(["", "orders", "orders, lines"])
    )


def draw_rule(draw: random.Random, name: str) -> Rule:
    return Rule("sql", model="orders", name=name, query=draw.choice("ab"), expected={"less_than": draw.choice([1, 2])})


def draw_contract(seed: int) -> Contract:
    """Whatever contract; drawn by a seed, as drawing each value is slow."""
    draw = random.Random(seed)
    levels = [draw_level(draw, name) for name in ("freshness", "freshness", "availability", "retention", "support")]
    return Contract(
        id="orders",
        version="1.0.0",
        models=tuple(
            Model(name, fields=tuple(draw_field(draw, field) for field in sample_some(draw, NAMES, least=2)))
            for name in sample_some(draw, ["orders", "lines"], least=1)
        ),
        quality_rules=tuple(draw_rule(draw, name) for name in sample_some(draw, ["one", "two"])),
        sla=sample_some(draw, levels),
        roles=tuple(Role(name, access=draw.choice(["read", "write"])) for name in sample_some(draw, ["r", "w"])),
        servers=tuple(Server(name, "trino", settings={"host": draw.choice("hi")}) for name in sample_some(draw, ["prod", "dev"])),
        terms=Terms(usage=draw.choice(["", "reports"]), notice_period=draw.choice([None, build_level("notice_period", "P3M")])),
        owners=tuple(map(Party, sample_some(draw, ["ann", "bob", "cat"]))),
        consumers=sample_some(draw, ["f", "g"]),
    )


contracts = st.integers(0, 2**32).map(draw_contract)


def compare_contracts(before: Contract, after: Contract) -> list[Change]:
    keys = {one.name: (build_dataset_key("wh", one.name),) for one in (*before.models, *after.models)}
    return compare_versions(Pair(Version(before, keys, "a.yaml"), Version(after, keys, "b.yaml")))


def shuffle_contract(contract: Contract, seed: int) -> Contract:
    """The same contract, in another order and spelling."""
    draw = random.Random(seed)

    def mix_values(values: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(draw.sample(values, len(values)))

    def respell_field(field: Field) -> Field:
        other = {"decimal(18,2)": "NUMERIC( 18, 2 )", "string": "text", "bigint": "LONG", "timestamp": "timestamp_tz"}
        return replace(
            field, type=other.get(field.type, field.type.upper()), enum=mix_values(field.enum), tags=mix_values(field.tags), description="!"
        )

    whole = {name: mix_values(getattr(contract, name)) for name in ("quality_rules", "sla", "roles", "servers", "owners", "consumers")}
    mixed_models = tuple(replace(one, fields=mix_values(tuple(map(respell_field, one.fields))), title="T") for one in contract.models)
    return replace(contract, **whole, models=mix_values(mixed_models), title="other", description="other")


@given(contracts, st.integers(0, 1000))
def test_order_spelling_and_prose_are_no_change(contract: Contract, seed: int) -> None:
    assert compare_contracts(contract, shuffle_contract(contract, seed)) == []


@given(contracts, contracts)
def test_changes_are_well_formed(before: Contract, after: Contract) -> None:
    found = compare_contracts(before, after)
    assert len({one.fingerprint for one in found}) == len(found)
    for one in found:
        rule = RULES[one.rule]
        assert "?" not in format_sentence(rule.title, one.details, one.before, one.after)
        assert (one.file, one.line) == ("b.yaml", 1)


@given(contracts, contracts, st.integers(0, 1000))
def test_fingerprints_do_not_depend_on_order(before: Contract, after: Contract, seed: int) -> None:
    prints = {one.fingerprint for one in compare_contracts(before, after)}
    assert {one.fingerprint for one in compare_contracts(shuffle_contract(before, seed), shuffle_contract(after, seed + 1))} == prints


class Edit(NamedTuple):
    """An edit of a field of a table, and the rules that it falls under."""

    name: str
    make: Callable[[Field], Field | None]
    rules: frozenset[str]


PLAIN = Field("plain", type="int", enum=("a", "b"), minimum=1, max_length=10, pattern="^a$", format="email", classification="internal")
FIRM = replace(PLAIN, required=True, unique=True, primary_key=True, pii=True)
EDITS = (
    Edit("remove", lambda _: None, frozenset({"column-removed"})),
    Edit("widen", lambda one: replace(one, type="bigint"), frozenset({"type-widened"})),
    Edit("retype", lambda one: replace(one, type="string"), frozenset({"type-changed"})),
    Edit("untype", lambda one: replace(one, type=""), frozenset({"type-withdrawn"})),
    Edit("nullable", lambda one: replace(one, required=not one.required), frozenset({"column-nullable", "column-required"})),
    Edit("unique", lambda one: replace(one, unique=not one.unique), frozenset({"key-removed", "key-added"})),
    Edit("value added", lambda one: replace(one, enum=(*one.enum, "z")), frozenset({"enum-value-added"})),
    Edit("value removed", lambda one: replace(one, enum=one.enum[1:]), frozenset({"enum-value-removed"})),
    Edit("any value", lambda one: replace(one, enum=()), frozenset({"enum-dropped"})),
    Edit("tighter", lambda one: replace(one, minimum=5), frozenset({"bound-tightened"})),
    Edit("looser", lambda one: replace(one, max_length=99), frozenset({"bound-loosened"})),
    Edit("new bound", lambda one: replace(one, exclusive_maximum=9), frozenset({"bound-added"})),
    Edit("no bound", lambda one: replace(one, minimum=None), frozenset({"bound-removed"})),
    Edit("pattern", lambda one: replace(one, pattern="^b$"), frozenset({"bound-changed"})),
    Edit("secret", lambda one: replace(one, classification="restricted"), frozenset({"classification-raised"})),
    Edit("open", lambda one: replace(one, classification=""), frozenset({"classification-removed"})),
    Edit("pii", lambda one: replace(one, pii=not one.pii), frozenset({"classification-raised", "classification-removed"})),
    Edit("deprecate", lambda one: replace(one, deprecated=True), frozenset({"column-deprecated"})),
)


def edit_contract(base: Field, edits: dict[str, Edit]) -> tuple[Contract, Contract]:
    """A contract with three fields, and the same with each edited by its edit."""
    before = [replace(base, name=name) for name in ("a", "b", "c")]
    after = [edits[one.name].make(one) if one.name in edits else one for one in before]
    made = [Contract("x", models=(Model("t", fields=tuple(one for one in some if one is not None)),)) for some in (before, after)]
    return made[0], made[1]


@pytest.mark.parametrize("base", [PLAIN, FIRM], ids=["plain", "firm"])
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_is_one_change_under_its_rule(base: Field, edit: Edit) -> None:
    (found,) = compare_contracts(*edit_contract(base, {"b": edit}))
    assert found.rule in edit.rules
    assert found.subject.part[:4] == ("model", "t", "field", "b")
    assert found.assets == (build_column_key(build_dataset_key("wh", "t"), "b"),)


@given(st.sampled_from([PLAIN, FIRM]), st.sampled_from(EDITS), st.sampled_from(EDITS), st.sampled_from(EDITS))
def test_fingerprints_do_not_depend_on_other_edits(base: Field, one: Edit, other: Edit, third: Edit) -> None:
    alone = [found.fingerprint for found in compare_contracts(*edit_contract(base, {"b": one}))]
    among = [found.fingerprint for found in compare_contracts(*edit_contract(base, {"a": other, "b": one, "c": third}))]
    assert set(alone) <= set(among)


def build_table(names: list[str], form: str = "iceberg") -> Version[Definition]:
    found = Definition(Model("sales.orders", fields=tuple(Field(name, type="int") for name in names)), format=form)
    return Version(found, {"": (TABLE,)})


def list_moves(before: list[str], after: list[str], form: str = "iceberg") -> list[str]:
    found = compare_versions(Pair(build_table(before, form), build_table(after, form)))
    return [str(one.details["field"]) for one in found if one.rule == "column-moved"]


orders = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1)


@given(orders, st.data())
def test_what_is_put_in_front_moves_nothing(names: list[str], data: st.DataObject) -> None:
    after = list(names)
    for new in ("x", "y", "z"):
        after.insert(data.draw(st.integers(0, len(after))), new)
    assert list_moves(names, after) == []
    assert list_moves(after, names) == []


@given(orders, st.data())
def test_moves_are_the_fewest(names: list[str], data: st.DataObject) -> None:
    after = list(names)
    picked = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
    for name in picked:
        after.remove(name)
        after.insert(data.draw(st.integers(0, len(after))), name)
    moved = list_moves(names, after)
    assert len(moved) <= len(picked)
    assert [name for name in names if name not in moved] == [name for name in after if name not in moved]
    assert list_moves(names, after, "json") == []


@given(contracts, contracts)
def test_levels_and_their_reverse(before: Contract, after: Contract) -> None:
    """What is tightened one way is loosened the other, where both have the same levels."""
    reverse = {
        "slo-tightened": "slo-loosened",
        "slo-loosened": "slo-tightened",
        "slo-changed": "slo-changed",
        "retention-shortened": "retention-lengthened",
        "retention-lengthened": "retention-shortened",
    }
    by_name = {one.name: one for one in after.sla if one.element}
    one = Contract(
        "x", sla=tuple({one.name: one for one in before.sla if one.name in by_name and one.element == by_name[one.name].element}.values())
    )
    other = Contract("x", sla=tuple(by_name[level.name] for level in one.sla))
    forth, back = ([(found.rule, found.before, found.after) for found in compare_contracts(*pair)] for pair in ((one, other), (other, one)))
    assert sorted(map(str, forth)) == sorted(str((reverse[rule], after, before)) for rule, before, after in back)
