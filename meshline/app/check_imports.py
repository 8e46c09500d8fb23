"""What reading texts needs, imported: by the process from which those of `meshline.app.parser_process` are forked."""

from __future__ import annotations

import gc
from contextlib import suppress
from importlib import import_module

from meshline.ingest import mesh  # noqa: F401
from meshline.ingest.changes import KINDS

for _module, _ in KINDS.values():
    with suppress(ImportError):  # of an extra that is not installed
        import_module(_module)
with suppress(ImportError):
    import_module("sqlglot").Dialect.classes  # noqa: B018 - imports all dialects, as the first look at any does
gc.collect()
gc.freeze()  # the processes that are forked share what is here, as long as nothing looks at it
