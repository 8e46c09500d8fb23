"""What tools for dashboards have in common: reports, the columns that they use, and the models between reports and tables.

A report becomes a consumer, which consumes columns (or datasets, where the tool does not state columns). A model, for example a query that
charts are made of, becomes a dataset of the tool, into which the columns of tables flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Flow, FlowType, Json, drop_empty_attributes, to_micros
from meshline.graph.naming import is_email
from meshline.ingest.sources.base import Context, Entry
from meshline.words import format_count

MAX_WARNINGS = 100


class Use(NamedTuple):
    """What a report shows or filters by: a column, or a dataset of which it is unknown which columns (`column` is '')."""

    dataset: AssetKey
    column: str = ""

    @property
    def target(self) -> AssetKey:
        """The asset that is used."""
        return model.build_column_key(self.dataset, self.column) if self.column else self.dataset


def spell_use(use: Use, context: Context) -> Use:
    """A use of a column as the graph spells it. One that the dataset is known not to have was made on the way, of unknown columns."""
    known = {column.name.casefold(): column.name for column in context.columns_of(use.dataset)}
    return use._replace(column=known.get(use.column.casefold(), "")) if known else use


class Report(NamedTuple):
    """A dashboard, or a chart that is on none. `id`: of the tool, stable over renames. `type`: the type of the consumer.

    `owners`: their e-mail addresses, else names. `attributes`: what else is known of it. `time`: of its last change, in microseconds.
    `purposes`: what for, by use.
    """

    id: str
    name: str
    type: str
    uses: frozenset[Use]
    url: str = ""
    description: str = ""
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Json] = {}
    time: int | None = None
    purposes: Mapping[Use, str] = {}


class ModelColumn(NamedTuple):
    """A column of a model."""

    name: str
    type: str = ""
    description: str = ""


class Model(NamedTuple):
    """A dataset of the tool, made of tables. `flows`: into it and its columns. `attributes`: what else is known of it."""

    key: AssetKey
    title: str
    columns: tuple[ModelColumn, ...]
    flows: tuple[Flow, ...]
    sql: str = ""
    description: str = ""
    owners: tuple[str, ...] = ()
    time: int | None = None
    tags: tuple[str, ...] = ()
    dataset_type: str = "MODEL"
    attributes: Mapping[str, Json] = {}


def build_model_entry(found: Model, context: Context) -> Entry:
    """The statement about a model."""
    about = drop_empty_attributes(
        dataset_type=found.dataset_type,
        title=found.title,
        description=found.description,
        sql=found.sql,
        tags=list[Json](found.tags),
        **found.attributes,
    )
    assets = [AssetFact(found.key, about)]
    edges: list[EdgeFact] = []
    for position, column in enumerate({column.name: column for column in found.columns}.values(), start=1):
        key = model.build_column_key(found.key, column.name)
        edges.append(EdgeFact(EdgeType.HAS_COLUMN, found.key, key, {"position": position}))
        if attributes := drop_empty_attributes(type=column.type, description=column.description):
            assets.append(AssetFact(key, attributes))
    owners, owned = build_owner_facts(found.owners, found.key, context)
    facts = Facts((*assets, *owners), (*edges, *owned), tuple(dict.fromkeys(found.flows)))
    return Entry(("model", *found.key.parts), encode_facts(facts), found.time)


def build_report_entries(reports: Iterable[Report], context: Context) -> list[Entry]:
    """The statements about reports, oldest first. Of several with one name the first keeps it; to the others' names their ids are added, so
    that a new report changes the name of no other.
    """
    used: set[str] = set()
    entries: list[Entry] = []
    for report in reports:
        name = report.name if report.name not in used else f"{report.name} ({report.id})"
        used.add(name)
        entries.append(_build_report_entry(report, name, context))
    return entries


def _build_report_entry(report: Report, name: str, context: Context) -> Entry:
    key = model.build_consumer_key(name)
    attributes = drop_empty_attributes(
        title=report.name if name != report.name else "",
        description=report.description,
        consumer_type=report.type,
        url=report.url,
        tags=list[Json](report.tags),
        **report.attributes,
    )
    edges = [EdgeFact(EdgeType.CONSUMES, key, use.target, _describe_use(use, report.purposes.get(use, ""))) for use in sorted(report.uses)]
    owners, owned = build_owner_facts(report.owners, key, context)
    return Entry(("report", report.id), encode_facts(Facts((AssetFact(key, attributes), *owners), (*edges, *owned))), report.time)


def _describe_use(use: Use, purpose: str) -> dict[str, Json]:
    return drop_empty_attributes(purpose="; ".join(filter(None, (purpose, "" if use.column else "its columns are not stated"))))


def build_owner_facts(owners: Iterable[str], of: AssetKey, context: Context) -> tuple[list[AssetFact], list[EdgeFact]]:
    """The owners of an asset: the people that the graph knows by their address, else the names."""
    assets: list[AssetFact] = []
    edges: list[EdgeFact] = []
    for owner in dict.fromkeys(filter(None, (owner.strip() for owner in owners))):
        key = model.build_owner_key(context.resolve_person(owner))
        assets.append(AssetFact(key, drop_empty_attributes(email=owner if is_email(owner) else None)))
        edges.append(EdgeFact(EdgeType.OWNS, key, of, {"type": "technical"}))
    return assets, edges


def build_column_flows(key: AssetKey, column: str, sources: Iterable[Use]) -> list[Flow]:
    """The flows into a column of a model that is computed from these columns, or copies one."""
    flows: list[Flow] = []
    for use in sources:
        if use.column:
            flows.append(Flow(model.build_column_key(use.dataset, use.column), model.build_column_key(key, column), FlowType.DIRECT))
            flows.append(Flow(use.dataset, key, covered=True))
        else:
            flows.append(Flow(use.dataset, key))
    return flows


def build_condition_flows(key: AssetKey, sources: Iterable[Use]) -> list[Flow]:
    """The flows into a model as a whole from the columns that it is filtered, joined, grouped or sorted by."""
    flows: list[Flow] = []
    for use in sources:
        if use.column:
            flows.append(Flow(model.build_column_key(use.dataset, use.column), key, FlowType.INDIRECT, "FILTER"))
            flows.append(Flow(use.dataset, key, covered=True))
        else:
            flows.append(Flow(use.dataset, key))
    return flows


class Warnings:
    """What could not be read, each once, and the first of them in words."""

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    def add(self, text: str) -> None:
        self._found[text] = None

    def list_first(self) -> list[str]:
        """At most MAX_WARNINGS, and how many more there are."""
        found = list(self._found)
        more = [f"and {format_count(len(found) - MAX_WARNINGS, 'more warning')}"] if len(found) > MAX_WARNINGS else []
        return [*found[:MAX_WARNINGS], *more]


def parse_time(text: str | None) -> int | None:
    """A time of a tool in ISO 8601, in microseconds; None if it is none."""
    try:
        return None if not text else to_micros(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None
