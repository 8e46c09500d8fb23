"""`meshline demo`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meshline.cli.options import Store
from meshline.cli.serve import Host, Port


def demo(*, store: Store = None, host: Host = None, port: Port = None) -> None:
    """Serve the example mesh, from a store of its own that goes away."""
    from meshline.api.settings import load
    from meshline.cli.serving import serve
    from meshline.cli.terminal import tell

    with _store(store) as url:
        _fill(url)
        serve(load(store=url, host=host, port=port), lambda address: tell(INVITATION.format(url=address)))


INVITATION = """\
meshline: the example mesh is on {url} (GraphQL: {url}/graphql). In another terminal:
  meshline impact customers.customers.email --server {url}
  meshline lineage finance.revenue_daily --upstream --granularity product --server {url}
  meshline owners orders.customer_orders --server {url}
Ctrl-C ends it."""


@contextmanager
def _store(given: str | None) -> Iterator[str]:
    """The given store, or one in a folder that is removed at the end."""
    import tempfile

    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="meshline-demo-") as folder:
        yield f"sqlite:///{Path(folder) / 'demo.db'}"


def _fill(url: str) -> None:
    """Load the example, unless the store holds something already."""
    from meshline.cli.example import example
    from meshline.cli.local import opened
    from meshline.cli.stores import opened_store
    from meshline.ingest.mesh import file_time, load, parse, read
    from meshline.ingest.openlineage.builder import BatchBuilder
    from meshline.ingest.openlineage.files import events_in
    from meshline.ingest.pipeline import Pipeline, ingest_all

    with opened_store(url) as store:
        if store.revision() > 0:
            return
    folder = example()
    path = folder / "mesh.yaml"
    mesh = parse(read(path), str(path), strict=True)
    with opened(url, mesh=mesh) as graph:
        load(graph.graph, mesh, graph.naming, file_time(path))
        pipeline = Pipeline(graph.graph, BatchBuilder(graph.naming))
        try:
            for outcome in ingest_all(pipeline, events_in([str(folder / "events")])):
                if outcome.refused is not None:
                    raise outcome.refused
        finally:
            pipeline.close()
