"""`meshline ingest soda FILE...`."""

from __future__ import annotations

from typing import Annotated

from meshline.cli.checked import Complete, DatasetName, DatasetNames, Files, Namespace, SourceName, Suite, load
from meshline.cli.options import Server, Store, Strict


def soda(
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
    """Load Soda's scan results (JSON) and files of checks (YAML): checks of datasets and columns.

    The last scan is shown, those before it are its history. A file of checks consumes the columns that its schema checks name.
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
    load("soda", given, strict=strict, store=store, server=server)
