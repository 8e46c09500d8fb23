"""Dashboards and charts of DataHub -> reports: consumers of the columns that their charts show."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.graph.model import Json
from meshline.ingest.sources.base import Context, Entry
from meshline.ingest.sources.dashboards.reports import Report, Use, build_report_entries
from meshline.ingest.sources.datahub.aspects import InputFields, Properties, ReportInfo
from meshline.ingest.sources.datahub.facts import MAX_TEXT, CatalogFacts
from meshline.ingest.sources.datahub.parse import Entities
from meshline.ingest.sources.datahub.urns import DATASET, MAX_NAME, get_urn_id

CHART, DASHBOARD = "urn:li:chart:(", "urn:li:dashboard:("


class ReportUses:
    """The dashboards, and the charts that are on none."""

    def __init__(self, entities: Entities, facts: CatalogFacts, context: Context) -> None:
        self._entities = entities
        self._facts = facts
        self._context = context

    def build_entries(self) -> list[Entry]:
        """A dashboard with a chart that could not be read is left out, so that it remains as it was."""
        broken = self._entities.broken
        reports: list[Report] = []
        shown: set[str] = set()
        charts = {urn: self._list_uses(urn) for urn in self._entities.list_urns(CHART)}
        for urn in self._entities.list_urns(DASHBOARD):
            of = self._list_charts(urn)
            shown.update(of)
            if urn not in broken and not broken & set(of):
                uses = {use for chart in of for use in charts.get(chart, ())}
                fine = {use.dataset for use in uses if use.column}
                own = {use for use in self._list_uses(urn) if use.column or use.dataset not in fine}
                reports.append(self._build_report(urn, "dashboard", frozenset(uses | own)))
        reports += [self._build_report(urn, "chart", frozenset(uses)) for urn, uses in charts.items() if urn not in shown | broken]
        return build_report_entries(reports, self._context)

    def _build_report(self, urn: str, type_: str, uses: frozenset[Use]) -> Report:
        info = self._find_info(urn)
        edited = self._entities.find(urn, f"editable{type_.capitalize()}Properties", Properties)
        named = self._facts.describe(urn)
        links = (info.external_url, info.dashboard_url, info.chart_url)
        attributes: dict[str, Json] = {"datahub_urn": urn, "tool": get_urn_id(urn).strip("()").partition(",")[0]}
        return Report(
            id=urn,
            name=info.title.strip()[:MAX_NAME] or get_urn_id(urn),
            type=type_,
            uses=uses,
            url=next((one for one in links if one and one.startswith(("https://", "http://"))), ""),
            description=((edited and edited.description) or info.description or "")[:MAX_TEXT],
            owners=tuple(dict.fromkeys(name for name, _ in named.owners)),
            tags=named.tags,
            attributes={**attributes, "glossary_terms": list[Json](named.terms)},
        )

    def _list_charts(self, urn: str) -> list[str]:
        info = self._find_info(urn)
        return [*(info.charts or ()), *(one.destination_urn for one in info.chart_edges or ())]

    def _list_uses(self, urn: str) -> set[Use]:
        """The columns that a chart or dashboard states itself, and the datasets of which it states none."""
        info = self._find_info(urn)
        fields = self._entities.find(urn, "inputFields", InputFields) or InputFields()
        found = {
            Use(*column)
            for one in fields.fields
            if one.schema_field_urn and (column := self._facts.locate_column(one.schema_field_urn, urn)) is not None
        }
        fine = {use.dataset for use in found}
        for text in _list_datasets(info):
            key = self._facts.locate(text, urn)
            if key is not None and key not in fine:
                found.add(Use(key))
        return found

    def _find_info(self, urn: str) -> ReportInfo:
        name = "dashboardInfo" if urn.startswith(DASHBOARD) else "chartInfo"
        return self._entities.find(urn, name, ReportInfo) or ReportInfo()


def _list_datasets(info: ReportInfo) -> Iterator[str]:
    """The URNs of datasets that a chart or dashboard reads."""
    links = (*(info.dataset_edges or ()), *(info.input_edges or ()))
    for urn in (*(info.datasets or ()), *(info.inputs or ()), *(one.destination_urn for one in links)):
        if urn.startswith(DATASET):
            yield urn
