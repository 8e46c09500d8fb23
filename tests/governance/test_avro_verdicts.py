"""Verdicts about Avro beside Avro's own checker of compatibility, on drawn pairs of schemas.

BACKWARD: the new schema reads data of the old one. FORWARD: the old schema reads data of the new one (docs/profiles.md).
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.app import check_texts
from meshline.governance.changes import Change
from meshline.governance.diff import compare_versions
from meshline.governance.rules import RULES, Profile, Verdict
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.changes import ChangeInput, Text, graph_state
from meshline.ingest.changes.schema import build_proposal
from meshline.ingest.sources.base import Context
from tests.sizes import count_examples

# Why a change may be breaking although both directions are compatible for Avro: docs/profiles.md lists the same.
STRICTER = {
    "column-removed": "values are lost: the old reader gets its default instead",
    "column-renamed": "queries and programs use the name, which an alias does not help",
    "table-renamed": "the same, of the record as a whole",
    "enum-value-removed": "consumers that rely on the value never see it again",
    "type-changed": "string and bytes, and all logical types: Avro reads one as the other, programs do not",
    "branch-added": "the same in a union; or precision is lost: a long that is read as a float",
    "branch-removed": "the same",
}
TEXTS = {"string", "binary", "bytes"}
LOSSY = {"type-changed": TEXTS, "branch-added": {*TEXTS, "int", "long"}, "branch-removed": {*TEXTS, "int", "long"}}

KNOWN = graph_state.build_graph_state(LiveGraph.open(SqliteStore()), Naming(), Context(Naming(), Path()))


def compare_schemas(before: Any, after: Any) -> list[Change]:
    old, new = (Text(f"{name}.avsc", json.dumps(one).encode()) for name, one in (("old", before), ("new", after)))
    (pair,) = build_proposal(ChangeInput("schema", old, new, {"format": "avro"}), KNOWN).pairs
    return compare_versions(pair)


def compute_verdict(of: list[Change], profile: Profile) -> Verdict:
    return max((RULES[one.rule].get_verdict(profile) for one in of), default=Verdict.COMPATIBLE)


def can_read(reader: Any, writer: Any) -> bool:
    """Whether data of the writer can be read, as `avro` sees it."""
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    found = checker.get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    return found.compatibility is SchemaCompatibilityType.compatible


# -- drawn schemas

PLAIN = ("boolean", "int", "long", "float", "double", "bytes", "string")
DEFAULTS: dict[str, Any] = {"boolean": True, "int": 1, "long": 1, "float": 1.5, "double": 1.5, "bytes": "a", "string": "a", "null": None}
LOGICAL = (
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "int", "logicalType": "date"},
    {"type": "string", "logicalType": "uuid"},
    {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
    {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
)


class Drawing:
    """Schemas of a random number. Named types get a new name each."""

    def __init__(self, seed: int, *, logical: bool) -> None:
        self.draw = random.Random(seed)
        self._logical = logical
        self._names = 0

    def draw_name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._names}"

    def draw_type(self, depth: int = 0) -> Any:
        kinds = (
            ["plain"] * 4
            + ["logical"] * (2 * self._logical)
            + ["enum", "fixed", "nullable"]
            + ["record", "array", "map", "union"] * (depth < 2)
        )
        match self.draw.choice(kinds):
            case "plain":
                return self.draw.choice(PLAIN)
            case "logical":
                return dict(self.draw.choice(LOGICAL))
            case "enum":
                return self.draw_enum()
            case "fixed":
                return {"type": "fixed", "name": self.draw_name("F"), "size": 4}
            case "record":
                return self.draw_record(depth + 1)
            case "array":
                return {"type": "array", "items": self.draw_type(depth + 1)}
            case "map":
                return {"type": "map", "values": self.draw_type(depth + 1)}
            case "nullable":
                return self.draw.sample(["null", self.draw.choice(PLAIN)], 2)
        branches = [*self.draw.sample([*PLAIN, "null"], 2), *([self.draw_record(depth + 1)] if self.draw.random() < 0.5 else [])]
        return [*branches, *([self.draw_enum()] if self.draw.random() < 0.3 else [])]

    def draw_enum(self) -> Any:
        symbols = self.draw.sample("ABCD", self.draw.randint(1, 3))
        return {
            "type": "enum",
            "name": self.draw_name("E"),
            "symbols": symbols,
            **({"default": symbols[0]} if self.draw.random() < 0.4 else {}),
        }

    def draw_record(self, depth: int = 0) -> Any:
        fields = [self.draw_field(name, depth) for name in self.draw.sample("abcd", self.draw.randint(1, 3))]
        return {"type": "record", "name": self.draw_name("R"), "fields": fields}

    def draw_field(self, name: str, depth: int = 0) -> Any:
        type_ = self.draw_type(depth)
        one = {"name": name, "type": type_}
        return {**one, "default": build_default(type_)} if self.draw.random() < 0.4 else one

    # -- changed

    def change_schema(self, schema: Any) -> Any:
        new = copy.deepcopy(schema)
        for _ in range(self.draw.randint(1, 2)):
            records = [one for one in iterate_parts(new) if isinstance(one, dict) and one.get("type") == "record"]
            others = [one for one in iterate_parts(new) if isinstance(one, dict) and one.get("type") in ("enum", "fixed")]
            if others and self.draw.random() < 0.3:
                self._change_named(self.draw.choice(others))
            else:
                self._change_record(self.draw.choice(records))
            for record in records:  # a default of what is inside may not fit any more
                for field in record["fields"]:
                    if "default" in field:
                        field["default"] = build_default(field["type"])
        return new

    def _change_named(self, one: Any) -> None:
        match self.draw.choice(["name", "alias", "default", "symbol", "symbol", "gone", "size"]):
            case "name":
                one["name"] = self.draw_name("N")
            case "alias":
                one["aliases"], one["name"] = [one["name"]], self.draw_name("N")
            case "size" if one["type"] == "fixed":
                one["size"] += 1
            case "default" if one["type"] == "enum":
                if one.pop("default", None) is None:
                    one["default"] = one["symbols"][0]
            case "symbol" if one["type"] == "enum":
                one["symbols"] = [*one["symbols"], "X"] if "X" not in one["symbols"] else one["symbols"]
            case "gone" if one["type"] == "enum" and len(one["symbols"]) > 1:
                one["symbols"] = one["symbols"][:-1]
                if one.get("default") not in one["symbols"]:
                    one.pop("default", None)

    def _change_record(self, record: Any) -> None:
        fields = record["fields"]
        field = self.draw.choice(fields)
        type_ = field["type"]
        match self.draw.choice(["add", "add", "remove", "rename", "alias", "null", "type", "grow", "default", "order", "union", "case"]):
            case "add":
                fields.append(self.draw_field(self.draw.choice("efg") + str(len(fields)), 1))
            case "remove" if len(fields) > 1:
                fields.remove(field)
            case "rename":
                field["name"] = f"{field['name']}{len(fields)}"
            case "alias":
                field["aliases"], field["name"] = [field["name"]], f"{field['name']}{len(fields)}"
            case "case":
                field["name"] = field["name"].upper()
            case "null" if isinstance(type_, list) and type_ != ["null"]:
                rest = [one for one in type_ if one != "null"]
                field["type"] = rest if len(rest) > 1 else rest[0]
            case "null" if type_ not in ("null", ["null"]):
                field["type"] = ["null", type_]
            case "type":
                field["type"] = self.draw_type(1)
            case "grow":
                field["type"] = {
                    "int": "long",
                    "long": "int",
                    "float": "double",
                    "double": "float",
                    "string": "bytes",
                    "bytes": "string",
                }.get(type_ if isinstance(type_, str) else "", type_)
            case "default":
                if "default" in field:
                    del field["default"]
                else:
                    field["default"] = build_default(type_)
            case "order":
                self.draw.shuffle(fields)
            case "union" if isinstance(type_, list) and len(type_) > 1:
                if self.draw.random() < 0.5:
                    field["type"] = self.draw.sample(type_, len(type_) - 1)
                else:
                    more = [
                        one for one in PLAIN if one not in type_ and not any(isinstance(of, dict) and of["type"] == one for of in type_)
                    ]
                    field["type"] = [*self.draw.sample(type_, len(type_)), self.draw.choice(more)]


def build_default(type_: Any) -> Any:
    """A default that fits the type."""
    if isinstance(type_, list):
        return build_default(type_[0])
    if isinstance(type_, str):
        return DEFAULTS[type_]
    match type_["type"]:
        case "enum":
            return type_["symbols"][0]
        case "fixed":
            return "a" * type_["size"]
        case "array":
            return []
        case "map":
            return {}
        case "record":
            return {one["name"]: build_default(one["type"]) for one in type_["fields"]}
    return DEFAULTS[type_["type"]]


def iterate_parts(schema: Any) -> Iterator[Any]:
    """A schema and all that is in it."""
    yield schema
    for one in schema if isinstance(schema, list) else ():
        yield from iterate_parts(one)
    if isinstance(schema, dict):
        for inside in (*schema.get("fields", ()), *(schema[key] for key in ("items", "values") if key in schema)):
            yield from iterate_parts(
                inside["type"] if "name" in inside and "type" in inside and inside in schema.get("fields", ()) else inside
            )


def draw_pair(seed: int, *, logical: bool) -> tuple[Any, Any]:
    drawing = Drawing(seed, logical=logical)
    before = drawing.draw_record()
    return before, drawing.change_schema(before)


# -- the laws


@settings(deadline=None, max_examples=count_examples(400))
@given(seed=st.integers(0, 2**32), logical=st.booleans())
def test_no_profile_calls_compatible_what_its_direction_is_not(seed: int, *, logical: bool) -> None:
    before, after = draw_pair(seed, logical=logical)
    backward, forward, of = can_read(after, before), can_read(before, after), compare_schemas(before, after)
    assert forward or compute_verdict(of, Profile.CONSUMER) > Verdict.COMPATIBLE, (before, after)
    for profile in (Profile.MESH, Profile.FULL):
        assert (backward and forward) or compute_verdict(of, profile) > Verdict.COMPATIBLE, (profile, before, after)


@settings(deadline=None, max_examples=count_examples(400))
@given(seed=st.integers(0, 2**32), logical=st.booleans())
def test_what_is_compatible_in_both_directions_breaks_only_for_reasons_that_are_listed(seed: int, *, logical: bool) -> None:
    before, after = draw_pair(seed, logical=logical)
    if not (can_read(after, before) and can_read(before, after)):
        return
    of = compare_schemas(before, after)
    gone = tuple(one.subject.part[1] for one in of if one.rule == "column-renamed")  # for the old reader, whatever it is now
    for one in of:
        if one.rule != "column-renamed" and any(f"{one.subject.part[1]}.".startswith(f"{name}.") for name in gone):
            continue
        if any(RULES[one.rule].get_verdict(profile) is Verdict.BREAKING for profile in Profile):
            assert one.rule in STRICTER, (one, before, after)
            if not logical and one.rule in LOSSY:
                assert {str(one.before), str(one.after)} - {"None"} <= LOSSY[one.rule], (one, before, after)


# -- modes of compatibility


def check_mode(before: Any, after: Any, mode: str) -> Verdict:
    """The verdict of a check with --compatibility."""
    old, new = (check_texts.File(f"{name}.avsc", json.dumps(one)) for name, one in (("old", before), ("new", after)))
    request = check_texts.CheckRequest((check_texts.CheckInput("schema", old, new, {"format": "avro", "compatibility": mode}),))
    changes = check_texts.ParsedTexts(KNOWN, request).read_difference().changes
    assert all(one.decided for one in changes)
    return max((Verdict[one.decided.upper()] for one in changes), default=Verdict.COMPATIBLE)


@settings(deadline=None, max_examples=count_examples(400))
@given(seed=st.integers(0, 2**32), logical=st.booleans())
def test_modes_of_compatibility_are_those_of_avro(seed: int, *, logical: bool) -> None:
    before, after = draw_pair(seed, logical=logical)
    backward, forward = can_read(after, before), can_read(before, after)
    for mode, readable in (("BACKWARD", backward), ("FORWARD", forward), ("FULL", backward and forward), ("NONE", True)):
        assert check_mode(before, after, mode) is (Verdict.COMPATIBLE if readable else Verdict.BREAKING), (mode, before, after)
        assert check_mode(before, after, f"{mode}_TRANSITIVE" if mode != "NONE" else mode) is check_mode(before, after, mode)
