"""What Power BI's Scanner API answers (admin/workspaces/scanResult), and the activity events that show when a report was viewed."""

from __future__ import annotations

import msgspec

from meshline.errors import InvalidInput


class User(msgspec.Struct, rename="camel"):
    """A user or group with rights. Which key has the right depends on what it is a right to."""

    email_address: str | None = None
    display_name: str | None = None
    report_user_access_right: str | None = None
    dashboard_user_access_right: str | None = None
    dataset_user_access_right: str | None = None
    group_user_access_right: str | None = None


class Endorsement(msgspec.Struct, rename="camel"):
    endorsement: str | None = None
    certified_by: str | None = None


class Column(msgspec.Struct, rename="camel"):
    name: str = ""
    data_type: str | None = None
    column_type: str | None = None
    expression: str | None = None
    description: str | None = None


class Measure(msgspec.Struct):
    name: str = ""
    expression: str | None = None
    description: str | None = None


class Query(msgspec.Struct):
    """A query of a table (M, or DAX for tables that are computed)."""

    expression: str | None = None


class Table(msgspec.Struct):
    name: str = ""
    description: str | None = None
    columns: list[Column] | None = None
    measures: list[Measure] | None = None
    source: list[Query] | None = None


class SharedQuery(msgspec.Struct):
    """A query or parameter that the queries of tables use by its name."""

    name: str = ""
    expression: str | None = None


class SemanticModel(msgspec.Struct, rename="camel"):
    id: str
    name: str | None = None
    description: str | None = None
    configured_by: str | None = None
    created_date: str | None = None
    tables: list[Table] | None = None
    expressions: list[SharedQuery] | None = None
    endorsement_details: Endorsement | None = None
    users: list[User] | None = None


class Report(msgspec.Struct, rename="camel"):
    """A report. `app_id`: it is the copy in an app."""

    id: str
    name: str | None = None
    description: str | None = None
    dataset_id: str | None = None
    report_type: str | None = None
    created_by: str | None = None
    modified_by: str | None = None
    modified_date_time: str | None = None
    app_id: str | None = None
    endorsement_details: Endorsement | None = None
    users: list[User] | None = None


class Tile(msgspec.Struct, rename="camel"):
    report_id: str | None = None
    dataset_id: str | None = None


class Dashboard(msgspec.Struct, rename="camel"):
    id: str
    display_name: str | None = None
    app_id: str | None = None
    tiles: list[Tile] | None = None
    users: list[User] | None = None


class Workspace(msgspec.Struct):
    id: str
    name: str | None = None
    state: str | None = None
    reports: list[Report] | None = None
    dashboards: list[Dashboard] | None = None
    datasets: list[SemanticModel] | None = None
    users: list[User] | None = None


class Activity(msgspec.Struct, rename="pascal"):
    """An event of the activity log."""

    activity: str | None = None
    creation_time: str | None = None
    report_id: str | None = None
    dashboard_id: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    workspaces: list[Workspace] | None = None
    activity_event_entities: list[Activity] | None = None


class Scan:
    """All workspaces, each once, and when reports and dashboards were last viewed, by their ids."""

    def __init__(self) -> None:
        self.workspaces: dict[str, Workspace] = {}
        self.viewed: dict[str, str] = {}

    def add(self, answer: _Answer) -> None:
        """Of two answers about a workspace, the one that is read later counts."""
        for workspace in answer.workspaces or ():
            self.workspaces[workspace.id] = workspace
        for one in answer.activity_event_entities or ():
            id_ = {"ViewReport": one.report_id, "ViewDashboard": one.dashboard_id}.get(one.activity or "")
            if id_ and one.creation_time:
                self.viewed[id_] = max(self.viewed.get(id_, ""), one.creation_time)


def parse_answer(data: bytes, where: str) -> _Answer:
    """An answer of the API. Raises InvalidInput."""
    try:
        found = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"this is no answer of Power BI's Scanner API: {error}", where) from error
    if found.workspaces is None and found.activity_event_entities is None:
        raise InvalidInput(
            "found neither workspaces nor activityEventEntities; accepted is the answer of scanResult, or of activityevents", where
        )
    return found
