"""`meshline mcp`: the MCP server for agents over standard input and output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from meshline.cli.options import Server, Store
from meshline.errors import require_extra

if TYPE_CHECKING:
    from meshline.app.agents.tool_assets import Ask
    from meshline.cli.store import OpenGraph


def mcp(*, store: Store = None, server: Server = None) -> None:
    """Answer the questions of an agent, as an MCP server.

    The program of the agent starts it, asks over its standard input and output, and ends it by closing them. It changes nothing.
    """
    with require_extra("mcp", "the MCP server"):
        from meshline.app.agents.mcp_server import run_over_stdio

    with open_ask(store, server) as ask:
        run_over_stdio(ask)


@contextmanager
def open_ask(store: str | None, server: str | None) -> Iterator[Ask]:
    """What answers queries: a server, or the graph of a store that follows the commits of others."""
    from meshline.cli.client import open_client
    from meshline.cli.store import open_graph

    if server is not None:
        with open_client(None, server) as client:
            yield client.ask
        return
    with open_graph(store, must_exist=True) as opened:
        from meshline.app.search_vectors import keep_vectors, open_search_vectors
        from meshline.app.settings import load_settings

        settings = load_settings(store=store)
        opened.graph.vectors = open_search_vectors(settings, settings.store)
        with keep_vectors(opened.graph):
            yield _follow_store(opened)


def _follow_store(opened: OpenGraph) -> Ask:
    """Answers from the newest state of the store: an agent may be connected for days while others write."""
    from meshline.cli.client import LocalClient

    client = LocalClient(opened)

    def ask(query: str, variables: Mapping[str, object]) -> dict[str, Any]:
        opened.graph.refresh()
        return client.ask(query, variables)

    return ask
