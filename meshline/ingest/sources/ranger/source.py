"""Apache Ranger: who may read which table or column, with masks and row filters, from exported policies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source
from meshline.ingest.sources.files import Paths, expand_paths, format_path, read_bytes
from meshline.ingest.sources.ranger.facts import Dataset, build_right_entry
from meshline.ingest.sources.ranger.parse import MAX_BYTES, Policy, parse_policies

# The resources that name a table, by the type of the service.
LEVELS = {"hive": ("database", "table"), "trino": ("catalog", "schema", "table"), "presto": ("catalog", "schema", "table")}
_MACROS = frozenset({"user:{USER}", "user:{OWNER}"})


class Ranger(Source):
    """Exported policies of Ranger for one service, about the datasets of one namespace."""

    kind: ClassVar[str] = "ranger"
    files: Paths
    namespace: str = Field(min_length=1, max_length=1000, description="The namespace of the datasets that the service protects.")
    service: str = Field(default="", max_length=500, description="The service, if the files have policies of several.")

    def read(self, context: Context) -> Reading:
        warnings: list[str] = []
        items = self._read_items(context, warnings)
        return Reading(self.source, items, complete=True, atomic=False, warnings=warnings, has_read_rights=lambda: True)

    def _read_items(self, context: Context, warnings: list[str]) -> Iterator[Item]:
        policies: list[Policy] = []
        refused = False
        for path in expand_paths(self.files, context.folder):
            try:
                if isinstance(path, InvalidInput):
                    raise path
                policies += parse_policies(read_bytes(path, MAX_BYTES), format_path(path, context.folder))
            except InvalidInput as error:
                refused = True
                yield Refusal(error)
        if refused and not policies:
            return
        try:
            chosen, levels = self._choose_policies(policies)
        except InvalidInput as error:
            yield Refusal(error)
            return
        warnings += _list_gaps(chosen)
        for key in context.datasets_in(context.resolve_namespace(self.namespace)):
            parts = tuple(key.name.split("."))
            if len(parts) == len(levels):
                columns = tuple(column.name for column in context.columns_of(key))
                entry = build_right_entry(Dataset(key, parts, columns), chosen, levels)
                if entry is not None:
                    yield entry

    def _choose_policies(self, policies: list[Policy]) -> tuple[list[Policy], tuple[str, ...]]:
        """The policies of the service that are in force, and the resources that name its tables. Raises InvalidInput."""
        if not policies:
            raise InvalidInput("found no policy; accepted are exported policies of Ranger", "files")
        services = sorted({policy.service for policy in policies})
        wanted = self.service or (services[0] if len(services) == 1 else "")
        found = [policy for policy in policies if policy.service == wanted]
        if not found:
            raise InvalidInput(f"found policies of {', '.join(services)}; choose one service", "service")
        kinds = {policy.service_type.lower() or _guess_type(policy) for policy in found}
        unknown = sorted(kinds - LEVELS.keys())
        if unknown:
            raise InvalidInput(f"the service is of type {', '.join(unknown)}; accepted: {', '.join(LEVELS)}", "service")
        now = datetime.now(UTC)
        return [policy for policy in found if policy.is_in_force(now)], LEVELS[min(kinds, default="hive")]


def _guess_type(policy: Policy) -> str:
    """The type of a policy's service, which some exports leave out."""
    return "trino" if "schema" in policy.resources or "catalog" in policy.resources else "hive"


def _list_gaps(policies: list[Policy]) -> Iterator[str]:
    """What is not evaluated."""
    items = [(policy, item) for policy in policies for item in (*(policy.policy_items or ()), *(policy.deny_policy_items or ()))]
    conditional = sorted({policy.name for policy, item in items if item.conditions})
    if conditional:
        names = ", ".join(conditional)[:300]
        yield f"conditions are not evaluated: what they allow counts as allowed, what they deny does not count: {names}"
    macros = sorted({policy.name for policy, item in items if _MACROS & set(item.principals)})
    if macros:
        yield f"{{USER}} and {{OWNER}} are shown as they are: {', '.join(macros)[:300]}"
