"""`meshline ingest gx FILE...`."""

from __future__ import annotations

from typing import Annotated

from meshline.cli.checked import Complete, DatasetName, DatasetNames, Files, Namespace, SourceName, Suite, load
from meshline.cli.options import Server, Store, Strict


def gx(
    file: Annotated[list[str], Files],
    *,
    dataset: DatasetName = None,
    map_: DatasetNames = None,
    namespace: Namespace = None,
    suite: Suite = None,
    name: SourceName = "default",
    complete: Complete = False,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load Great Expectations results and suites (JSON): checks of datasets and columns.

    The last run of a suite on a dataset is shown, those before it are its history.
    """
    given = {
        "name": name,
        "files": file,
        "complete": complete,
        "dataset": dataset,
        "datasets": map_,
        "namespace": namespace,
        "suite": suite,
    }
    load("gx", given, strict=strict, store=store, server=server)
