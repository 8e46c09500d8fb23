"""Imports that parsing texts needs, for the server process from which `meshline.app.parser_process` forks its processes."""

from __future__ import annotations

import gc
from contextlib import suppress
from importlib import import_module

from meshline.ingest import mesh  # noqa: F401
from meshline.ingest.changes import KINDS

for _module, _ in KINDS.values():
    with suppress(ImportError):  # an extra that is not installed
        import_module(_module)
with suppress(ImportError):
    import_module("sqlglot").Dialect.classes  # noqa: B018 - imports all dialects, as the first look at any does
gc.collect()
gc.freeze()  # forked processes share this memory as long as the garbage collector does not write to it
