"""The mesh file: what is parsed, what is refused, and where the message points."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from meshline.errors import InvalidInput
from meshline.graph.model import Precedence
from meshline.graph.naming import Naming
from meshline.ingest import mesh
from meshline.ingest.dataset_refs import split_dataset
from meshline.ingest.documents import MAX_BYTES, parse_yaml

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "mesh" / "mesh.yaml"

BAD = """\
version: 1
domains:
  - name: a
    ownr: x
  - name: b
    domains:
      - name: c
      - {name: c}
      - {name: d, parent: q}
  - name: 2024
teams: {a: 1}
products:
  - name: x
    owner: [a]
    tags: pii
    slo: {a: [1]}
    output_ports: [{dataset: {namespace: 1}}]
    version: 2.1
  - {title: nameless}
  - just text
owners:
  - {owner: x, type: technicl, dataset: lake/x}
  - {owner: x}
  - {owner: x, dataset: nothing}
consumers:
  - name: k
    consumes:
      - {dataset: a/b, product: c}
people:
  - name: good
"""

REFUSED = """\
m.yaml:4: ownr: unknown key 'ownr'; did you mean 'owner'?; accepted: name, title, description, parent, owner, tags, datasets, domains
m.yaml:8: this domain 'c' is given twice, first at m.yaml:7
m.yaml:9: found parent 'q' of a domain that is nested in 'b'; leave the key out
m.yaml:10: name: found 2024, which is not a text; write it in quotes
m.yaml:11: teams: found a mapping with the keys a; accepted is a list
m.yaml:18: version: found 2.1, which is not a text; write it in quotes
m.yaml:14: owner: found a list of 1; accepted is a text
m.yaml:15: tags: found 'pii'; accepted is a list, also for one value: [value]
m.yaml:16: slo.a: found a list of 1; accepted is a text or a number
m.yaml:17: output_ports.dataset.namespace: found 1, which is not a text; write it in quotes
m.yaml:17: output_ports.dataset: the key 'name' is missing
m.yaml:19: the key 'name' is missing
m.yaml:20: found 'just text'; accepted is a mapping
m.yaml:22: type: found 'technicl'; did you mean 'technical'?; accepted is 'technical', 'business' or 'steward'
m.yaml:23: found a mapping with the keys owner; give exactly one of the keys dataset, product and domain
m.yaml:24: found 'nothing', in which namespace and name cannot be separated; accepted is `alias/name`, `namespace/name` \
or {namespace: ..., name: ...}
m.yaml:28: consumes: found a mapping with the keys dataset, product; give exactly one of the keys product and dataset
"""


def test_bad_entries_are_refused_each_with_its_line_and_the_others_are_accepted() -> None:
    parsed = mesh.parse_mesh_file(BAD.encode(), "m.yaml")
    assert "".join(f"{error}\n" for error in parsed.refused) == REFUSED
    assert [entry.scope[1:] for entry in parsed.entries] == [("domain", "b"), ("domain", "c"), ("person", "good")]


def test_strict_stops_at_the_first() -> None:
    with pytest.raises(InvalidInput, match=r"^m\.yaml:4: ownr"):
        mesh.parse_mesh_file(BAD.encode(), "m.yaml", strict=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 2", "m.yaml:1: version: found 2; accepted is 1"),
        ("", "m.yaml:1: found nothing; a mesh file is a mapping that begins with `version: 1`"),
        ("- a", "m.yaml:1: found a list of 1; a mesh file is a mapping that begins with `version: 1`"),
        ("teams: []", "m.yaml:1: the key 'version' is missing"),
        ("version: 1\ndomans: []", "m.yaml:2: domans: unknown key 'domans'; did you mean 'domains'?; accepted: version, source, "),
        (
            "version: 1\nnaming:\n  trimmers:\n    - pattern: '('",
            "m.yaml:4: naming.trimmers.pattern: found '('; not a regular expression: missing )",
        ),
        ("version: 1\nsource: a b", "m.yaml:2: source: found 'a b'; accepted is"),
        ("version: 1\nnamespaces: {a/b: c}", "m.yaml:2: namespaces.a/b: found 'a/b'; accepted is"),
        ("version: 1\nprecedence: {structure: 5}", "m.yaml:2: precedence.structure: found 5; accepted is a list"),
    ],
)
def test_a_file_that_cannot_be_used_as_a_whole(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        mesh.parse_mesh_file(text.encode(), "m.yaml")
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: 1\na: 2", "m.yaml:2: the key 'a' is given twice (first on line 1)"),
        (b"a: [", "m.yaml:1: this is not YAML: while parsing a flow node"),
        (
            b"a: 1\nb: !!python/object:os.system 1",
            "m.yaml:2: the tag tag:yaml.org,2002:python/object:os.system is not supported; remove it",
        ),
        (b"a: &a [*a]", "m.yaml:1: the alias *a is inside its own anchor"),
        (b"a: *x", "m.yaml:1: the alias *x is inside its own anchor, or has no anchor before it"),
        (b"a: 1\n---\nb: 2", "m.yaml:2: a second document begins here"),
        (b"[" * 100_000, "m.yaml:1: nested more than 24 levels deep"),
        (b"? [a]\n: 1", "m.yaml:1: a key must be a text"),
        (b"a: 1\nb: \x00", "m.yaml:2: this is not YAML: special characters are not allowed"),
        (b"a: 1\nb: \xff", "m.yaml:2: byte 0xff is not UTF-8"),
        (b"<<: {a: 1}", "m.yaml:1: merge keys (<<) are not supported"),
        (b"a:\n\t- b", "m.yaml:2: this is not YAML"),
        (b'a: "\\ud800"', "m.yaml:1: half of a character (a lone surrogate) is not a text"),
        (b"%YAML 9.x\n---\na", "m.yaml:1: this is not YAML"),
        (b"#" * (MAX_BYTES + 1), f"m.yaml: the file has {MAX_BYTES + 1} bytes; at most"),
    ],
)
def test_what_is_no_document(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_yaml(data, "m.yaml")
    assert str(error.value).startswith(message)


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)]
    with pytest.raises(InvalidInput, match="more than 200000 values, counting what aliases repeat"):
        parse_yaml("\n".join(lines).encode(), "m.yaml")


def test_a_document_follows_the_core_schema_and_knows_its_lines() -> None:
    read = parse_yaml(b"a: 1\nb:\n  - x: yes\n    y: [1, -2.5, 'q', ~, true, 2024-01-01, 1e999, 0123x]\n  - &k {z: ''}\n  - *k\n", "m.yaml")
    assert read.value == {
        "a": 1,
        "b": [{"x": "yes", "y": [1, -2.5, "q", None, True, "2024-01-01", "1e999", "0123x"]}, {"z": ""}, {"z": ""}],
    }
    assert [read.format_place(path) for path in (("a",), ("b", 0), ("b", 0, "y"), ("b", 2), ("b", 2, "z"))] == [
        f"m.yaml:{n}" for n in (1, 3, 4, 6, 6)
    ]


@pytest.mark.parametrize(
    ("text", "namespace", "name"),
    [
        ("lake/db.orders", "http://catalog:8181", "db.orders"),
        ("files//warehouse/x", "file", "/warehouse/x"),
        ("s3://wh/db/orders", "s3://wh", "db/orders"),
        ("postgres://h:5432/shop.public.orders", "postgres://h:5432", "shop.public.orders"),
        ("duckdb:///warehouse/shop.duckdb/shop.main.orders", "duckdb:///warehouse/shop.duckdb", "shop.main.orders"),
        ("file//warehouse/x", "file", "/warehouse/x"),
        ("snowflake-prod/db.s.t", "snowflake-prod", "db.s.t"),
        ("orders", "", ""),
        ("lake/", "", ""),
        ("/x", "", ""),
    ],
)
def test_dataset_names(text: str, namespace: str, name: str) -> None:
    assert split_dataset(text, {"lake": "http://catalog:8181", "files": "file"}) == (namespace, name)


def test_names_that_are_not_declared_are_warned_of() -> None:
    parsed = mesh.parse_mesh_file(
        b"version: 1\nteams: [{name: orders-team}]\ndomains: [{name: d, owner: order-team}]\nproducts: [{name: p, domain: e}]", "m.yaml"
    )
    assert not parsed.refused
    assert parsed.warnings == (
        "m.yaml:3: the owner 'order-team' is not declared in this file; did you mean 'orders-team'?",
        "m.yaml:4: the domain 'e' is not declared in this file",
    )


def test_source_is_named_by_the_file_unless_it_names_one() -> None:
    assert mesh.parse_mesh_file(b"version: 1\nsource: shop", "m.yaml").source == "mesh/shop"
    assert mesh.parse_mesh_file(b"version: 1", "/a/my mesh!.yaml").source == "mesh/my-mesh"


def test_configuration() -> None:
    naming, precedence = mesh.build_configuration(
        mesh.parse_mesh_file(b"version: 1\nnaming: {trimmers: [{pattern: '/x$'}]}\nprecedence: {people: [dbt]}", "m.yaml")
    )
    assert naming is not None
    assert naming.digest == Naming([("/x$", "")]).digest
    assert precedence == Precedence(people=("dbt",))
    assert mesh.build_configuration(mesh.parse_mesh_file(b"version: 1", "m.yaml")) == (None, None)


def test_the_published_schema_is_the_format() -> None:
    published = (ROOT / "meshline/ingest/mesh.schema.json").read_text()
    assert published == mesh.build_json_schema(), "run scripts/make-docs"
    jsonschema.Draft202012Validator.check_schema(json.loads(published))


def test_the_example_follows_the_format() -> None:
    parsed = mesh.parse_mesh_file(mesh.read_mesh_file(EXAMPLE), str(EXAMPLE), strict=True)
    assert parsed.warnings == ()
    assert len(parsed.entries) > 50
    jsonschema.Draft202012Validator(json.loads(mesh.build_json_schema())).validate(parse_yaml(EXAMPLE.read_bytes(), "mesh.yaml").value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"mesh\.yaml: the mesh file cannot be read: No such file or directory"):
        mesh.read_mesh_file(tmp_path / "mesh.yaml")
