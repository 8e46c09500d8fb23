"""Pairs of files of Protobuf, with what buf reports and what we find."""

from __future__ import annotations

PROTO3 = 'syntax = "proto3"; '
PROTO2 = 'syntax = "proto2"; '
EDITION = 'edition = "2023"; '

# name: (head, the old version, the new one, rules of buf that must be among those reported, our rules with their verdicts in `mesh`)
B, K, C = "breaking", "conditional", "compatible"
TABLE: dict[str, tuple[str, str, str, set[str], dict[str, str]]] = {
    "field_added": (PROTO3, "message A { int32 a = 1; }", "message A { int32 a = 1; int32 b = 2; }", set(), {"column-added": C}),
    "field_removed": (PROTO3, "message A { int32 a = 1; int32 b = 2; }", "message A { int32 a = 1; }", {"FIELD_NO_DELETE", "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED"}, {"column-removed": B}),
    "field_removed_and_reserved": (PROTO3, "message A { int32 a = 1; int32 b = 2; }", 'message A { int32 a = 1; reserved 2; reserved "b"; }', {"FIELD_NO_DELETE"}, {"column-removed": B}),
    "field_renamed": (PROTO3, "message A { int32 a = 1; }", "message A { int32 b = 1; }", {"FIELD_SAME_NAME", "FIELD_SAME_JSON_NAME"}, {"column-renamed": B}),
    "field_renumbered": (PROTO3, "message A { int32 a = 1; }", "message A { int32 a = 2; }", {"FIELD_NO_DELETE"}, {"field-number-changed": B}),
    "fields_exchanged": (PROTO3, "message A { int32 a = 1; int32 b = 2; }", "message A { int32 b = 1; int32 a = 2; }", {"FIELD_SAME_NAME"}, {"column-renamed": B}),
    "fields_reordered": (PROTO3, "message A { int32 a = 1; int32 b = 2; }", "message A { int32 b = 2; int32 a = 1; }", set(), {}),
    "integer_grows": (PROTO3, "message A { int32 a = 1; }", "message A { int64 a = 1; }", {"FIELD_SAME_TYPE"}, {"type-promoted": K}),
    "integer_shrinks": (PROTO3, "message A { int64 a = 1; }", "message A { int32 a = 1; }", {"FIELD_SAME_TYPE"}, {"type-changed": B}),
    "integer_encoded_otherwise": (PROTO3, "message A { int32 a = 1; }", "message A { sint32 a = 1; }", {"FIELD_WIRE_COMPATIBLE_TYPE"}, {"type-changed": B}),
    "flag_becomes_integer": (PROTO3, "message A { bool a = 1; }", "message A { int32 a = 1; }", {"FIELD_SAME_TYPE"}, {"type-promoted": K}),
    "text_becomes_bytes": (PROTO3, "message A { string a = 1; }", "message A { bytes a = 1; }", {"FIELD_SAME_TYPE"}, {"type-changed": B}),
    "bytes_become_text": (PROTO3, "message A { bytes a = 1; }", "message A { string a = 1; }", {"FIELD_WIRE_COMPATIBLE_TYPE"}, {"type-changed": B}),
    "float_becomes_double": (PROTO3, "message A { float a = 1; }", "message A { double a = 1; }", {"FIELD_WIRE_COMPATIBLE_TYPE"}, {"type-changed": B}),
    "other_message": (PROTO3, "message A { B a = 1; } message B { int32 x = 1; } message D { B b = 1; C c = 2; } message C { int32 x = 1; }", "message A { C a = 1; } message B { int32 x = 1; } message D { B b = 1; C c = 2; } message C { int32 x = 1; }", {"FIELD_WIRE_COMPATIBLE_TYPE"}, {"type-changed": B}),
    "nested_field_removed": (PROTO3, "message A { B b = 1; message B { int32 x = 1; int32 y = 2; } }", "message A { B b = 1; message B { int32 x = 1; } }", {"FIELD_NO_DELETE"}, {"column-removed": B}),
    "message_removed": (PROTO3, "message A { int32 a = 1; } message B { int32 a = 1; }", "message A { int32 a = 1; }", {"MESSAGE_NO_DELETE"}, {"table-removed": B}),
    "message_added": (PROTO3, "message A { int32 a = 1; }", "message A { int32 a = 1; } message B { int32 a = 1; }", set(), {"table-added": C}),
    "message_of_a_circle": (PROTO3, "message A { B b = 1; int32 x = 2; } message B { A a = 1; int32 y = 2; }", "message A { B b = 1; int32 x = 2; } message B { A a = 1; }", {"FIELD_NO_DELETE"}, {"column-removed": B}),
    "becomes_repeated": (PROTO3, "message A { string a = 1; }", "message A { repeated string a = 1; }", {"FIELD_SAME_CARDINALITY"}, {"type-changed": B}),
    "repeated_becomes_single": (PROTO3, "message A { repeated int32 a = 1; }", "message A { int32 a = 1; }", {"FIELD_SAME_CARDINALITY"}, {"type-changed": B}),
    "map_value_changed": (PROTO3, "message A { map<string, int32> a = 1; }", "message A { map<string, string> a = 1; }", {"FIELD_SAME_TYPE"}, {"type-changed": B}),
    "presence_gained": (PROTO3, "message A { int32 a = 1; }", "message A { optional int32 a = 1; }", {"FIELD_SAME_CARDINALITY"}, {"presence-changed": K}),
    "presence_lost": (EDITION, "message A { int32 a = 1; }", "message A { int32 a = 1 [features.field_presence = IMPLICIT]; }", {"FIELD_SAME_CARDINALITY"}, {"presence-changed": K}),
    "into_a_oneof": (PROTO3, "message A { int32 a = 1; oneof o { int32 b = 2; } }", "message A { oneof o { int32 a = 1; int32 b = 2; } }", {"FIELD_SAME_ONEOF"}, {"oneof-changed": B, "presence-changed": K}),
    "out_of_a_oneof": (PROTO3, "message A { oneof o { int32 a = 1; int32 b = 2; } }", "message A { optional int32 a = 1; oneof o { int32 b = 2; } }", {"FIELD_SAME_ONEOF"}, {"oneof-changed": B}),
    "oneof_renamed": (PROTO3, "message A { oneof o { int32 a = 1; } }", "message A { oneof p { int32 a = 1; } }", {"ONEOF_NO_DELETE", "FIELD_SAME_ONEOF"}, {"oneof-changed": B}),
    "oneof_grows": (PROTO3, "message A { oneof o { int32 a = 1; } }", "message A { oneof o { int32 a = 1; int32 b = 2; } }", set(), {"oneof-case-added": C}),
    "required_field_added": (PROTO2, "message A { optional int32 a = 1; }", "message A { optional int32 a = 1; required int32 b = 2; }", {"MESSAGE_SAME_REQUIRED_FIELDS"}, {"field-now-required": B}),
    "required_field_added_in_an_edition": (EDITION, "message A { int32 a = 1; }", "message A { int32 a = 1; int32 b = 2 [features.field_presence = LEGACY_REQUIRED]; }", set(), {"field-now-required": B}),
    "becomes_required": (PROTO2, "message A { optional int32 a = 1; }", "message A { required int32 a = 1; }", {"FIELD_SAME_CARDINALITY"}, {"field-now-required": B}),
    "no_longer_required": (PROTO2, "message A { required int32 a = 1; }", "message A { optional int32 a = 1; }", {"FIELD_SAME_CARDINALITY"}, {"column-nullable": B}),
    "default_changed": (PROTO2, "message A { optional int32 a = 1 [default = 1]; }", "message A { optional int32 a = 1 [default = 2]; }", {"FIELD_SAME_DEFAULT"}, {"default-changed": B}),
    "json_name_changed": (PROTO3, "message A { int32 a = 1; }", 'message A { int32 a = 1 [json_name = "x"]; }', {"FIELD_SAME_JSON_NAME"}, {"json-name-changed": B}),
    "group_becomes_message": (EDITION, "message A { B b = 1 [features.message_encoding = DELIMITED]; } message B { int32 x = 1; }", "message A { B b = 1; } message B { int32 x = 1; }", {"FIELD_WIRE_COMPATIBLE_TYPE"}, {"type-changed": B}),
    "enum_value_added": (PROTO3, "message A { E e = 1; } enum E { X = 0; }", "message A { E e = 1; } enum E { X = 0; Y = 1; }", set(), {"enum-value-added": C}),
    "enum_value_removed": (PROTO3, "message A { E e = 1; } enum E { X = 0; Y = 1; }", "message A { E e = 1; } enum E { X = 0; }", {"ENUM_VALUE_NO_DELETE", "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED"}, {"enum-value-removed": B}),
    "enum_value_renamed": (PROTO3, "message A { E e = 1; } enum E { X = 0; Y = 1; }", "message A { E e = 1; } enum E { X = 0; Z = 1; }", {"ENUM_VALUE_SAME_NAME"}, {"enum-value-renamed": B}),
    "enum_value_renumbered": (PROTO3, "message A { E e = 1; } enum E { X = 0; Y = 1; }", "message A { E e = 1; } enum E { X = 0; Y = 2; }", {"ENUM_VALUE_NO_DELETE"}, {"enum-number-changed": B}),
    "enum_values_exchanged": (PROTO3, "message A { E e = 1; } enum E { X = 0; Y = 1; Z = 2; }", "message A { E e = 1; } enum E { X = 0; Z = 1; Y = 2; }", {"ENUM_VALUE_SAME_NAME"}, {"enum-number-changed": B}),
    "enum_alias_added": (PROTO3, "message A { E e = 1; } enum E { X = 0; Y = 1; }", "message A { E e = 1; } enum E { option allow_alias = true; X = 0; Y = 1; Z = 1; }", set(), {"enum-value-added": C}),
    "enum_opened": (EDITION, "message A { E e = 1; } enum E { option features.enum_type = CLOSED; X = 0; }", "message A { E e = 1; } enum E { X = 0; }", {"ENUM_SAME_TYPE"}, {"enum-openness-changed": K}),
    "enum_becomes_integer": (PROTO3, "message A { E e = 1; E f = 2; } enum E { X = 0; }", "message A { int32 e = 1; E f = 2; } enum E { X = 0; }", {"FIELD_SAME_TYPE"}, {"type-promoted": K, "enum-dropped": K}),
    "number_released": (PROTO3, "message A { int32 a = 1; reserved 2 to 5; }", "message A { int32 a = 1; reserved 2 to 4; }", {"RESERVED_MESSAGE_NO_DELETE"}, {"number-released": B}),
    "reserved_ranges_split": (PROTO3, "message A { int32 a = 1; reserved 2 to 5; }", "message A { int32 a = 1; reserved 2 to 3, 4 to 9; }", set(), {}),
    "reserved_name_released": (PROTO3, 'message A { int32 a = 1; reserved "x"; }', "message A { int32 a = 1; }", {"RESERVED_MESSAGE_NO_DELETE"}, {"number-released": B}),
    "enum_number_released": (PROTO3, "message A { E e = 1; } enum E { reserved 5; X = 0; }", "message A { E e = 1; } enum E { X = 0; }", {"RESERVED_ENUM_NO_DELETE"}, {"number-released": B}),
    "comments_and_spaces": (PROTO3, "message A { int32 a = 1; }", "// who\nmessage A {\n  /* what */ int32   a = 0x1;\n}", set(), {}),
}  # fmt: skip
