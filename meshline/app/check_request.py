"""What a check is asked: texts in two versions, and how they are judged."""

from __future__ import annotations

from datetime import datetime

import msgspec

from meshline.governance.gate import FailOn, Mode
from meshline.governance.rules import Profile
from meshline.ingest.changes.base import ChangeInput, Text
from meshline.ingest.documents import decode_text


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, and its name in messages."""

    name: str
    text: str


class CheckInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two versions of one thing; without `before`: it is compared with what the graph knows; without `after`: it is gone.

    `kind`: contract, product, schema, ddl, dbt, change. `options`: `format`, `dataset` (of a schema), `dialect` (of SQL).
    """

    kind: str
    before: File | None = None
    after: File | None = None
    options: dict[str, str] = {}


class CheckRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is to be checked, and how. `waivers`, `policies`: files in their formats. `since`: a time (ISO 8601), for what changed in
    the lineage since then. `namespaces`: short names of namespaces, as of a mesh file.
    """

    inputs: tuple[CheckInput, ...] = msgspec.field(name="things")  # the JSON key of the first version
    mode: Mode = Mode.STRICT
    profile: Profile = Profile.MESH
    fail_on: FailOn = FailOn.BREAKING
    waivers: File | None = None
    policies: tuple[File, ...] = ()
    since: datetime | None = None
    namespaces: dict[str, str] = {}


def to_check_input(given: ChangeInput) -> CheckInput:
    """What was read from files, to be sent. Raises InvalidInput for what is no text."""
    return CheckInput(given.kind, _to_file(given.before), _to_file(given.after), dict(given.options))


def build_file(name: str, data: bytes) -> File:
    """Raises InvalidInput for what is no text."""
    return File(name, decode_text(data, name))


def _to_file(text: Text | None) -> File | None:
    return None if text is None else build_file(text.name, text.data)
