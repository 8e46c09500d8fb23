"""Exported policies of Apache Ranger (JSON of its export and of its plugins' downloads) as values. Keys that are not used are ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec import Struct

from meshline.errors import InvalidInput

MAX_BYTES = 200 * 2**20
ACCESS, MASKING, ROW_FILTER = 0, 1, 2  # policyType
OVERRIDE = 1  # policyPriority
READING = frozenset({"select", "read", "all"})  # types of access that include reading


class Resource(Struct, frozen=True):
    """Values of one level, with `*` and `?`; `excludes`: all but these."""

    values: list[str] = []
    excludes: bool = msgspec.field(default=False, name="isExcludes")


class Access(Struct, frozen=True):
    type: str = ""
    allowed: bool = msgspec.field(default=True, name="isAllowed")


class MaskInfo(Struct, frozen=True, rename="camel"):
    data_mask_type: str | None = None


class Item(Struct, frozen=True, rename="camel"):
    """The principals that something is allowed or denied to."""

    accesses: list[Access] = []
    users: list[str] = []
    groups: list[str] = []
    roles: list[str] = []
    conditions: list[msgspec.Raw] = []
    data_mask_info: MaskInfo | None = None

    @property
    def principals(self) -> list[str]:
        """The names of owners: `user:ann`, `group:analysts`, `role:etl`."""
        named = (("user", self.users), ("group", self.groups), ("role", self.roles))
        return [f"{kind}:{name}" for kind, names in named for name in names if name]

    @property
    def reads(self) -> bool:
        return not self.accesses or any(one.allowed and one.type.lower() in READING for one in self.accesses)


class Schedule(Struct, frozen=True, rename="camel"):
    """When a policy counts: `2026/01/31 00:00:00`."""

    start_time: str | None = None
    end_time: str | None = None
    time_zone: str | None = None


class Policy(Struct, frozen=True, rename="camel"):
    id: int | None = None
    name: str = ""
    service: str = ""
    service_type: str = ""
    policy_type: int | None = ACCESS
    policy_priority: int | None = 0
    is_enabled: bool | None = True
    is_deny_all_else: bool | None = False
    resources: Mapping[str, Resource] = {}
    additional_resources: list[Mapping[str, Resource]] | None = None
    policy_items: list[Item] | None = None
    deny_policy_items: list[Item] | None = None
    allow_exceptions: list[Item] | None = None
    deny_exceptions: list[Item] | None = None
    data_mask_policy_items: list[Item] | None = None
    row_filter_policy_items: list[Item] | None = None
    validity_schedules: list[Schedule] | None = None

    @property
    def all_resources(self) -> Sequence[Mapping[str, Resource]]:
        return [self.resources, *(self.additional_resources or ())]

    def is_in_force(self, now: datetime) -> bool:
        """Whether it is enabled, and now is in one of its schedules, if it has any. `now`: in UTC."""
        if self.is_enabled is False:
            return False
        schedules = self.validity_schedules or ()
        return not schedules or any(_includes(one, now) for one in schedules)


class _Export(Struct, frozen=True, rename="camel"):
    policies: list[Policy]
    service_name: str = ""


def parse_policies(data: bytes, name: str) -> list[Policy]:
    """The policies of an export: an object with `policies`, or a list of them. Raises InvalidInput that names the file."""
    try:
        if data.lstrip()[:1] == b"[":
            return msgspec.json.decode(data, type=list[Policy])
        found = msgspec.json.decode(data, type=_Export)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"these are no exported policies of Ranger: {error}", name) from error
    return [msgspec.structs.replace(one, service=one.service or found.service_name) for one in found.policies]


def _includes(schedule: Schedule, now: datetime) -> bool:
    start, end = _parse_time(schedule.start_time), _parse_time(schedule.end_time)
    return (start is None or start <= now) and (end is None or now <= end)


def _parse_time(text: str | None) -> datetime | None:
    """A time of a schedule, which counts as UTC: its zone moves it by less than a day. None: without a limit."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


class Columns(NamedTuple):
    """The columns of a table that a policy is about. `whole`: all of them, also those that the graph does not know."""

    whole: bool
    names: frozenset[str]


def match_columns(resources: Mapping[str, Resource], levels: Sequence[str], parts: Sequence[str], columns: Sequence[str]) -> Columns | None:
    """The columns of a table that resources are about; None: they are not about the table.

    `levels`: the names of the resources that name a table, outermost first, such as `("database", "table")`. `parts`: its name.
    """
    if levels[-1] not in resources or any(level in resources for level in ("url", "udf", "function", "queryid")):
        return None
    for level, part in zip(levels, parts, strict=True):
        if level in resources and not _matches(resources[level], part):
            return None
    of_columns = resources.get("column")
    if of_columns is None or (not of_columns.excludes and "*" in of_columns.values):
        return Columns(whole=True, names=frozenset(columns))
    return Columns(whole=False, names=frozenset(name for name in columns if _matches(of_columns, name)))


def _matches(resource: Resource, text: str) -> bool:
    found = any(_compile(value).match(text) is not None for value in resource.values)
    return found is not resource.excludes


@lru_cache(maxsize=100_000)
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern.replace("[", "[[]")), re.IGNORECASE)
