"""Protobuf: what messages of `.proto` files become, which messages are compared, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import InvalidInput
from meshline.governance.diff import compare_versions
from meshline.graph.contracts import Field, Reserved
from meshline.graph.model import build_dataset_key
from meshline.ingest.changes.schema.proto_files import read_proto
from meshline.ingest.schemas.protobuf import compile_messages, parse_descriptors
from meshline.ingest.schemas.protoc import compile_files
from tests.ingest.changes.conftest import Ask
from tests.ingest.changes.proposals import get_versions, list_fields
from tests.sizes import count_examples

ORDER = """\
syntax = "proto3";
package shop.v1;

import "google/protobuf/timestamp.proto";

// An order of a customer.
message Order {
  int64 id = 1;
  optional string note = 2; // may be unset
  repeated Item items = 3;
  map<string, Item> by_sku = 4;
  oneof payment {
    string card = 5;
    uint32 cash = 6;
  }
  Status status = 7;
  // When it was placed.
  google.protobuf.Timestamp placed_at = 8;
  reserved 10 to 12, 15;
  reserved "old_id";
}
message Item {
  int32 sku = 1;
  bytes picture = 2 [deprecated = true];
  Item part = 3;
}
enum Status {
  NEW = 0;
  PAID = 1;
}
service Orders {
  rpc Place(Order) returns (Order);
}
"""


def read_fields(text: str, message: str = "", imports: dict[str, str] | None = None) -> dict[str, Field]:
    messages = compile_messages({"a.proto": text}, imports or {})
    return {field.name: field for field in messages.build_schema(message or messages.list_roots()[0]).definition.model.fields}


def test_the_fields_of_a_message_and_of_those_in_it() -> None:
    messages = compile_messages({"shop/order.proto": ORDER}, {})
    assert messages.names == ("shop.v1.Order", "shop.v1.Item")
    assert messages.list_roots() == ("shop.v1.Order",)
    schema = messages.build_schema("shop.v1.Order")
    fields = {field.name: field for field in schema.definition.model.fields}
    assert {name: (field.type, field.id) for name, field in fields.items()} == {
        "id": ("int64", "1"),
        "note": ("string", "2"),
        "items": ("list<message>", "3"),
        "items.element": ("message", "3.element"),
        "items.element.sku": ("int32", "3.element.1"),
        "items.element.picture": ("bytes", "3.element.2"),
        "items.element.part": ("message", "3.element.3"),
        "by_sku": ("map<string, message>", "4"),
        "by_sku.key": ("string", "4.key"),
        "by_sku.value": ("message", "4.value"),
        "by_sku.value.sku": ("int32", "4.value.1"),
        "by_sku.value.picture": ("bytes", "4.value.2"),
        "by_sku.value.part": ("message", "4.value.3"),
        "card": ("string", "5"),
        "cash": ("uint32", "6"),
        "status": ("enum", "7"),
        "placed_at": ("google.protobuf.Timestamp", "8"),
    }
    assert {name: field.encoding.oneof for name, field in fields.items() if field.encoding and field.encoding.oneof} == {
        "card": "payment",
        "cash": "payment",
    }
    assert (fields["status"].enum, fields["status"].encoding.enum_numbers) == (("NEW", "PAID"), (0, 1))  # type: ignore[union-attr]
    assert fields["items.element"].type_names == ("Item",)
    assert fields["items.element.picture"].deprecated
    assert fields["placed_at"].description == "When it was placed."
    assert schema.definition.model.description == "An order of a customer."
    assert schema.definition.reserved == (Reserved("", 10, 12), Reserved("", 15, 15), Reserved("", name="old_id"))
    assert (schema.lines[()], schema.lines["field", "items.element.sku"]) == (7, 23)
    assert schema.warnings == ("1 service is not compared (Orders)",)


@pytest.mark.parametrize(
    ("head", "field", "presence"),
    [
        ('syntax = "proto3";', "int32 a = 1;", "implicit"),
        ('syntax = "proto3";', "optional int32 a = 1;", "explicit"),
        ('syntax = "proto3";', "M a = 1;", "explicit"),
        ("", "optional int32 a = 1;", "explicit"),
        ("", "required int32 a = 1;", "required"),
        ('edition = "2023";', "int32 a = 1;", "explicit"),
        ('edition = "2023"; option features.field_presence = IMPLICIT;', "int32 a = 1;", "implicit"),
        ('edition = "2023";', "int32 a = 1 [features.field_presence = LEGACY_REQUIRED];", "required"),
        ('edition = "2024";', "int32 a = 1;", "explicit"),
    ],
)
def test_presence_of_each_syntax(head: str, field: str, presence: str) -> None:
    found = read_fields(f"{head} message M {{ {field} }}")["a"]
    assert found.encoding is not None
    assert (found.encoding.presence, found.required) == (presence, presence == "required")
    assert found.encoding.oneof == ""  # the one of a proto3 optional is not written


def test_defaults_groups_and_closed_enums_of_proto2() -> None:
    found = read_fields(
        'syntax = "proto2"; message M { optional string s = 1 [default = "a\\"b"]; optional group G = 2 { optional int32 x = 1; }'
        " optional E e = 3 [default = Y]; enum E { X = -1; Y = 5; reserved 7 to max; } }"
    )
    encodings = {name: field.encoding for name, field in found.items() if field.encoding is not None}
    assert (encodings["s"].default, encodings["e"].default, encodings["g"].default) == ('a"b', "Y", None)
    assert found["g"].type_names == ("group M.G",)
    assert (encodings["e"].is_closed, encodings["e"].enum_numbers) == (True, (-1, 5))


def test_roots_are_the_messages_that_no_other_contains() -> None:
    text = """syntax = "proto3";
      message A { map<string, B> b = 1; } message B { A a = 1; C c = 2; } message C { C c = 1; } message D { message Inner {} }
      message E { repeated D d = 1; } message Alone { Alone next = 1; }"""
    assert compile_messages({"a.proto": text}, {}).list_roots() == ("A", "D.Inner", "E", "Alone")


# -- files that import others

ITEM = 'syntax = "proto3"; package shop; message Item { int32 sku = 1; }'
BASKET = 'syntax = "proto3"; package shop; import "shop/item.proto"; message Basket { repeated Item items = 1; }'


def test_imports_that_are_given() -> None:
    found = compile_messages({"shop/basket.proto": BASKET}, {"shop/item.proto": ITEM})
    assert found.names == ("shop.Basket",)
    assert [field.name for field in found.build_schema("shop.Basket").definition.model.fields] == [
        "items",
        "items.element",
        "items.element.sku",
    ]
    with pytest.raises(InvalidInput, match=r"shop/basket.proto: it imports 'shop/item.proto', which is not given"):
        compile_messages({"shop/basket.proto": BASKET}, {})


def write_folder(folder: Path, item: str = ITEM) -> Path:
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "basket.proto").write_text(BASKET)
    (folder / "shop" / "item.proto").write_text(item)
    return folder


def test_a_file_with_imports_from_the_folders_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "protos")
    for path in (folder / "shop" / "basket.proto", Path("protos/shop/basket.proto"), Path("basket.proto")):
        monkeypatch.chdir(folder / "shop" if path == Path("basket.proto") else tmp_path)
        bundle = json.loads(read_proto(path).data)
        assert bundle == {"files": {"shop/basket.proto": BASKET}, "imports": {"shop/item.proto": ITEM}}


def test_a_folder_is_all_of_its_files(tmp_path: Path, ask: Ask) -> None:
    old = write_folder(tmp_path / "old")
    new = write_folder(tmp_path / "new", ITEM.replace("sku", "number"))
    found = ask("schema", read_proto(new).data, before=read_proto(old).data, format="protobuf")
    before, after = get_versions(found)
    assert (before.value.model.name, sorted(list_fields(after))) == ("shop.Basket", ["items", "items.element", "items.element.number"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=r"has no \.proto file"):
        read_proto(tmp_path / "empty")


def test_a_binary_set_of_descriptors(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "shop.binpb"
    path.write_bytes(compile_files({"shop/basket.proto": BASKET}, {"shop/item.proto": ITEM}))
    found = ask("schema", read_proto(path).data, before=read_proto(path).data, format="protobuf")
    assert list_fields(get_versions(found)[0]).keys() == {"items", "items.element", "items.element.sku"}


# -- messages of a check


def test_messages_are_compared_each_as_a_table(ask: Ask) -> None:
    old = 'syntax = "proto3"; package s; message A { int32 a = 1; } message B { int32 b = 1; } message Gone {}'
    new = 'syntax = "proto3"; package s; message A { int32 a = 1; B b = 2; } message B { int32 b = 1; } message New {}'
    found = ask("schema", new, before=old, format="protobuf")
    tables = [change.subject.name for pair in found.pairs for change in compare_versions(pair)]
    assert (len(found.pairs), tables) == (4, ["s.A", "s.Gone", "s.New"])
    assert len(ask("schema", new, before=old, format="protobuf", message="A").pairs) == 1


def test_a_dataset_has_one_message(ask: Ask) -> None:
    text = 'syntax = "proto3"; package s; message A { int32 a = 1; } message B { int32 b = 1; } message C { message A {} }'
    with pytest.raises(InvalidInput, match=r"message: the dataset has one of 3 messages \(s.A, s.B, s.C.A\): name it"):
        ask("schema", text, before=text, format="protobuf", dataset="orders.customer_orders")
    with pytest.raises(InvalidInput, match=r"message: there is no message 'D'; it has s.A, s.B, s.C, s.C.A"):
        ask("schema", text, before=text, format="protobuf", message="D")
    with pytest.raises(InvalidInput, match=r"message: 'A' is the end of several names: s.A, s.C.A"):
        ask("schema", text, before=text, format="protobuf", message="A")


def test_beside_the_columns_that_the_graph_knows(ask: Ask) -> None:
    text = 'syntax = "proto3"; package s; message Order { int64 order_id = 1; }'
    found = ask("schema", text, format="protobuf", dataset="http://iceberg-rest.internal:8181/customers.customers")
    before, after = get_versions(found)
    assert before.datasets[""] == (build_dataset_key("http://iceberg-rest.internal:8181", "customers.customers"),)
    assert "email" in list_fields(before)
    assert list_fields(after).keys() == {"order_id"}


# -- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("message A {\n int32 a = ; }", r"^old:2: Expected"),
        ('syntax = "proto3"; message A { Missing a = 1; }', r'^old:1: "Missing" is not defined'),
        ('syntax = "proto3"; message A { int32 a = 1; int32 b = 1; }', r"^old:1: Field number 1 has already been used"),
        ('syntax = "proto3"; import "../../etc/passwd"; message A {}', r"^old"),
        ('syntax = "proto3"; import "/etc/passwd"; message A {}', r"^old"),
        ("message A {" * 3_000 + "}" * 3_000, r"^old"),
        ("hello", r"^old:1: "),
        ("", "it has no messages"),
        ('syntax = "proto3"; enum E { X = 0; }', "it has no messages"),
        ('{"files": {"../x.proto": ""}}', "a file is named by the path under which others import it"),
        ('{"files": {"-I.proto": ""}}', "a file is named by the path"),
        ('{"files": {"a.txt": ""}}', "a file is named by the path"),
        ('{"files": {"a.proto": "", "a.proto/b.proto": ""}}', "cannot be compiled"),
        ('{"files": {}}', "it has no files of Protobuf"),
        ('{"file": {}}', r"neither a \.proto file nor JSON"),
        ('{"descriptors": "%"}', "not base64"),
        ('{"descriptors": "AAAA"}', "it is no set of descriptors"),
    ],
)
def test_what_is_no_protobuf_is_refused_by_name(ask: Ask, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ask("schema", text, before=text, format="protobuf")


def test_messages_that_unfold_without_end_are_refused() -> None:
    """Each message has the next one ten times: a million fields."""
    fields = " ".join(f"M{{next}} f{number} = {number};" for number in range(1, 11))
    text = (
        'syntax = "proto3"; ' + "".join(f"message M{i} {{ {fields.replace('{next}', str(i + 1))} }} " for i in range(10)) + "message M10 {}"
    )
    with pytest.raises(InvalidInput, match="M0 has more than 20000 fields"):
        read_fields(text)


@given(st.binary(max_size=200))
def test_no_bytes_make_anything_but_an_error_or_messages(data: bytes) -> None:
    try:
        parse_descriptors(data, "a.binpb")
    except InvalidInput:
        return


@settings(deadline=None, max_examples=count_examples(10))
@given(
    st.lists(
        st.sampled_from([*' {}[]()=;"\n\x00é', "message A ", "int32 a", "1", "enum E ", "oneof o ", "option ", "reserved "]), max_size=40
    )
)
def test_no_text_makes_anything_but_an_error_or_messages(parts: list[str]) -> None:
    message = ""
    try:
        compile_messages({"a.proto": "".join(parts)}, {})
    except InvalidInput as error:
        message = str(error)
    assert "/files/" not in message
