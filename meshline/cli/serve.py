"""`meshline serve`, and GraphQL in this process. No other module of the command line imports `meshline.api`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeAlias

import typer

from meshline.cli.options import Config, Store
from meshline.frozen_imports import freeze_imports

if TYPE_CHECKING:
    from meshline.app.settings import Settings
    from meshline.graph.live_graph import LiveGraph
    from meshline.graph.naming import Naming

Host: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Address to listen on; one that other machines reach needs tokens. [default: 127.0.0.1]", show_default=False),
]
Port: TypeAlias = Annotated[
    int | None, typer.Option(help="Port to listen on, 0 for a free one. [default: 8080]", show_default=False, min=0, max=65535)
]


def serve(
    *,
    store: Store = None,
    host: Host = None,
    port: Port = None,
    mesh: Annotated[Path | None, typer.Option(help="A mesh file to load at start; its naming and precedence rules apply.")] = None,
    kafka: Annotated[
        str | None, typer.Option(help="Also ingest events from this Kafka: its bootstrap servers.", show_default=False, metavar="HOST:PORT")
    ] = None,
    kafka_topic: Annotated[str | None, typer.Option(help="Its topic. [default: openlineage.events]", show_default=False)] = None,
    kafka_group: Annotated[str | None, typer.Option(help="The consumer group. [default: meshline]", show_default=False)] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on any address without tokens: every caller may do everything.")
    ] = False,
    readers: Annotated[
        str | None,
        typer.Option(
            help="Processes that answer questions beside the one that writes: a number, or `auto` for the graph and this machine."
            " [default: auto]",
            show_default=False,
            metavar="auto|NUMBER",
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Serve GraphQL, and ingest OpenLineage events by HTTP or Kafka."""
    from meshline.app.settings import load_settings

    consume = {"kafka": kafka, "kafka_topic": kafka_topic, "kafka_group": kafka_group}
    given = {"store": store, "host": host, "port": port, "mesh": mesh, "insecure": insecure or None, "readers": readers, "config": config}
    run_server(load_settings(**given, **consume))


def run_server(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """Serve until a signal comes; `ready` is called with the address when the graph is loaded."""
    with freeze_imports():
        from meshline.api.serve import run_server
    run_server(settings, ready)


def has_page() -> bool:
    """Whether the server has the page for browsers."""
    from meshline.api.explorer import FOLDER, SHELL

    return (FOLDER / SHELL).is_file()


class RequestExecutor(Protocol):
    """Executes one GraphQL request. Returns `data` and `errors` in GraphQL's format."""

    def __call__(self, query: str, variables: Mapping[str, object], *, mutations: bool = False) -> dict[str, Any]: ...


def build_executor(graph: LiveGraph, naming: Naming, policies: Path | None, *, seconds: float, objects: int) -> RequestExecutor:
    """Answers as a server does, from a graph in this process. `policies`: the user's folder; `seconds`, `objects`: limits of a request."""
    with freeze_imports():
        from meshline.api.graphql import Bounds, Executor
        from meshline.api.graphql.execution import ALL, QUERIES
        from meshline.app.policy_service import PolicyService

    graphql = Executor(graph, naming, Bounds(seconds=seconds, objects=objects), governing=PolicyService(graph, policies))

    def execute(query: str, variables: Mapping[str, object], *, mutations: bool = False) -> dict[str, Any]:
        return graphql.execute(query, variables, allowed=ALL if mutations else QUERIES).body

    return execute
