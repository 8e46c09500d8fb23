"""Drawn files of Protobuf in two versions."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field

PLAIN = (
    "bool",
    "int32",
    "int64",
    "uint32",
    "uint64",
    "sint32",
    "sint64",
    "fixed32",
    "fixed64",
    "sfixed32",
    "string",
    "bytes",
    "float",
    "double",
)
DEFAULTS = {"bool": "true", "string": '"a"', "int32": "7", "int64": "7", "uint32": "7", "sint32": "7"}


@dataclass
class DrawnField:
    name: str
    number: int
    type: str
    label: str = ""  # optional, required, repeated, implicit
    oneof: str = ""
    default: str = ""
    json_name: str = ""


@dataclass
class DrawnMessage:
    name: str
    fields: list[DrawnField] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)  # that are reserved
    names: set[str] = field(default_factory=set)


@dataclass
class DrawnEnum:
    name: str
    values: dict[str, int]
    numbers: set[int] = field(default_factory=set)
    closed: bool = False


class ProtoDrawing:
    """A file of a random number, in a package."""

    def __init__(self, seed: int, package: str) -> None:
        self.draw = random.Random(seed)
        self._package = package
        self._syntax = self.draw.choice(["proto2", "proto3", "2023"])
        self._names = 0
        self._enums = [DrawnEnum(f"E{i}", {f"E{i}_{j}": j for j in range(self.draw.randint(1, 3))}) for i in range(2)]
        self._messages = [DrawnMessage(f"M{i}") for i in range(3)]
        for message in self._messages:
            for _ in range(self.draw.randint(1, 4)):
                self._add_field(message)
            if self.draw.random() < 0.4:
                message.numbers |= set(self.draw.sample(range(20, 30), 3))
            if self.draw.random() < 0.3:
                message.names |= {"old_a", "old_b"}
        for enum in self._enums:
            if self.draw.random() < 0.4:
                enum.numbers |= {20, 21, 25}

    def draw_pair(self) -> tuple[str, str]:
        before = self._write_file()
        self._enums, self._messages = copy.deepcopy((self._enums, self._messages))
        for _ in range(self.draw.randint(0, 2)):
            self._change_file()
        return before, self._write_file()

    # -- changes

    def _change_file(self) -> None:
        message, enum = self.draw.choice(self._messages), self.draw.choice(self._enums)
        match self.draw.choice(["field"] * 8 + ["add", "remove", "remove", "enum", "enum", "reserved", "message", "new", "order"]):
            case "field" if message.fields:
                self._change_field(message, self.draw.choice(message.fields))
            case "add":
                self._add_field(message)
            case "remove" if message.fields:
                gone = message.fields.pop(self.draw.randrange(len(message.fields)))
                if self.draw.random() < 0.6:
                    message.numbers.add(gone.number)
                if self.draw.random() < 0.4:
                    message.names.add(gone.name)
            case "enum":
                self._change_enum(enum)
            case "reserved" if message.numbers:
                message.numbers.remove(self.draw.choice(sorted(message.numbers)))
            case "reserved" if enum.numbers:
                enum.numbers.remove(self.draw.choice(sorted(enum.numbers)))
            case "message" if len(self._messages) > 1:
                self._messages.remove(message)
                for other in self._messages:
                    other.fields = [one for one in other.fields if message.name not in one.type]
            case "new":
                self._messages.append(DrawnMessage(f"N{self._draw_number()}"))
                self._add_field(self._messages[-1])
            case "order":
                self.draw.shuffle(message.fields)

    def _grow_type(self, type_: str) -> str:
        """A type of the same encoding, if there is one."""
        kinds = [("bool", "int32", "int64", "uint32", "uint64"), ("sint32", "sint64"), ("fixed32", "sfixed32"), ("string", "bytes")]
        return self.draw.choice(next((one for one in kinds if type_ in one), (type_,)))

    def _change_field(self, message: DrawnMessage, one: DrawnField) -> None:
        match self.draw.choice(["name", "number", "type", "grow", "grow", "label", "label", "oneof", "default", "json"]):
            case "name":
                one.name = f"g{self._draw_number()}"
            case "number":
                one.number = self._draw_free(message)
            case "grow":
                one.type, one.default = self._grow_type(one.type), ""
            case "type":
                one.default = ""
                one.type = self._draw_type(maps=not one.label and not one.oneof)
                if one.type.startswith("map"):
                    one.label = ""
                self._settle_label(one)
            case "label" if not one.oneof and not one.type.startswith("map"):
                one.label, one.default = self._draw_label(), ""
                self._settle_label(one)
            case "oneof" if not one.type.startswith("map") and one.label != "repeated":
                one.oneof = "" if one.oneof else "o"
                one.label, one.default = "", ""
                self._settle_label(one)
            case "default" if one.default or self._may_have_default(one):
                one.default = "" if one.default and self.draw.random() < 0.5 else {"7": "8"}.get(one.default, DEFAULTS.get(one.type, ""))
            case "json":
                one.json_name = "" if one.json_name else f"j{self._draw_number()}"

    def _change_enum(self, enum: DrawnEnum) -> None:
        names = list(enum.values)
        last = names[-1]
        match self.draw.choice(["add", "remove", "rename", "number", "closed"]):
            case "add":
                enum.values[f"{enum.name}_x{self._draw_number()}"] = max(enum.values.values()) + 1
            case "remove" if len(names) > 1:
                gone = enum.values.pop(last)
                if self.draw.random() < 0.5:
                    enum.numbers.add(gone)
            case "rename":
                enum.values = {(f"{name}_r" if name == last else name): number for name, number in enum.values.items()}
            case "number" if len(names) > 1:
                enum.values[last] = max(enum.values.values()) + 1
            case "closed" if self._syntax == "2023":
                enum.closed = not enum.closed

    # -- parts

    def _draw_number(self) -> int:
        self._names += 1
        return self._names

    def _draw_free(self, message: DrawnMessage) -> int:
        used = {one.number for one in message.fields} | message.numbers
        return self.draw.choice([number for number in range(1, 20) if number not in used])

    def _add_field(self, message: DrawnMessage) -> None:
        if len(message.fields) > 8:
            return
        one = DrawnField(f"f{self._draw_number()}", self._draw_free(message), self._draw_type(maps=True), self._draw_label())
        if one.type.startswith("map"):
            one.label = ""
        elif one.label != "repeated" and self.draw.random() < 0.2:
            one.label, one.oneof = "", "o"
        self._settle_label(one)
        if self._may_have_default(one) and self.draw.random() < 0.3:
            one.default = DEFAULTS[one.type]
        message.fields.append(one)

    def _settle_label(self, one: DrawnField) -> None:
        if self._syntax == "proto2" and not one.oneof and not one.type.startswith("map"):
            one.label = one.label or "optional"
        if one.type.startswith(("M", "N")) and one.label == "implicit":
            one.label = ""

    def _may_have_default(self, one: DrawnField) -> bool:
        return self._syntax != "proto3" and one.type in DEFAULTS and one.label not in ("repeated", "implicit")

    def _draw_label(self) -> str:
        labels = {"proto2": ["optional", "optional", "required", "repeated"], "proto3": ["", "optional", "repeated"]}
        return self.draw.choice(labels.get(self._syntax, ["", "implicit", "required", "repeated"]))

    def _draw_type(self, *, maps: bool) -> str:
        match self.draw.choice(["plain"] * 5 + ["enum", "message"] + ["map"] * maps):
            case "enum":
                return self.draw.choice(self._enums).name
            case "message":
                return self.draw.choice(self._messages).name
            case "map":
                return f"map<{self.draw.choice(['string', 'int32'])}, {self.draw.choice([*PLAIN, self._messages[-1].name])}>"
        return self.draw.choice(PLAIN)

    # -- as text

    def _write_file(self) -> str:
        head = f'edition = "{self._syntax}";' if self._syntax == "2023" else f'syntax = "{self._syntax}";'
        repeated = "optional " if self._syntax == "proto2" else ""
        uses = "".join(f"  {repeated}{one.name} e{number} = {number};\n" for number, one in enumerate(self._enums, 1))
        parts = [head, f"package {self._package};", f"message Uses {{\n{uses}}}"]
        return "\n".join([*parts, *map(self._write_enum, self._enums), *map(self._write_message, self._messages), ""])

    def _write_enum(self, enum: DrawnEnum) -> str:
        lines = ["  option features.enum_type = CLOSED;"] * enum.closed
        lines += [f"  {name} = {number};" for name, number in enum.values.items()]
        lines += [f"  reserved {number};" for number in sorted(enum.numbers - set(enum.values.values()))]
        return "\n".join([f"enum {enum.name} {{", *lines, "}"])

    def _write_message(self, message: DrawnMessage) -> str:
        lines = [f"  {self._write_field(one)}" for one in message.fields if not one.oneof]
        choice = [f"    {self._write_field(one)}" for one in message.fields if one.oneof]
        lines += ["  oneof o {", *choice, "  }"] if choice else []
        lines += [f"  reserved {number};" for number in sorted(message.numbers - {one.number for one in message.fields})]
        quote = "" if self._syntax == "2023" else '"'
        lines += [f"  reserved {quote}{name}{quote};" for name in sorted(message.names)]
        return "\n".join([f"message {message.name} {{", *lines, "}"])

    def _write_field(self, one: DrawnField) -> str:
        label, options = one.label, []
        if self._syntax == "2023":
            presence = {"implicit": "IMPLICIT", "required": "LEGACY_REQUIRED"}.get(label)
            if one.type in {enum.name for enum in self._enums if enum.closed} and label == "implicit":
                presence = None  # such enums are always open
            options += [f"features.field_presence = {presence}"] if presence else []
            label = "repeated" if label == "repeated" else ""
        options += [f"default = {one.default}"] if one.default else []
        options += [f'json_name = "{one.json_name}"'] if one.json_name else []
        stated = f" [{', '.join(options)}]" if options else ""
        return f"{label} {one.type} {one.name} = {one.number}{stated};".strip()
