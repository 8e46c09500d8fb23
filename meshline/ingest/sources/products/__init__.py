"""Data product specifications: files in two dialects, a scope for each product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from meshline.errors import InvalidInput
from meshline.graph.content import encode
from meshline.graph.model import Scope
from meshline.ingest.documents import MAX_BYTES
from meshline.ingest.sources.files import Paths, matching, read_bytes, shown_path
from meshline.ingest.sources.products.dialects import parse
from meshline.ingest.sources.products.facts import facts
from meshline.ingest.sources.products.ports import bind
from meshline.ingest.sources.shape import Context, Entry, Found, Reading, Refused, Source
from meshline.ingest.times import file_time


class Products(Source):
    """Specifications. `complete`: whether these are all, so that a product whose file is gone is retracted."""

    kind: ClassVar[str] = "product"
    files: Paths
    complete: bool = True

    def reading(self, context: Context) -> Reading:
        warnings: list[str] = []
        return Reading(self.source, self._found(context, warnings), complete=self.complete, warnings=warnings)

    def _found(self, context: Context, warnings: list[str]) -> Iterator[Found]:
        seen: dict[Scope, str] = {}
        for path in matching(self.files, context.folder):
            if isinstance(path, InvalidInput):
                yield Refused(path)
            else:
                yield from _read(path, shown_path(path, context.folder), context, seen, warnings)


def _read(path: Path, file: str, context: Context, seen: dict[Scope, str], warnings: list[str]) -> Iterator[Found]:
    try:
        data = read_bytes(path, MAX_BYTES)
    except InvalidInput as error:
        yield Refused(error)
        return
    parsed = parse(data, file)
    warnings += parsed.warnings
    scope: Scope = ("product", parsed.name)
    yield from (Refused(error, scope if parsed.name else ()) for error in parsed.refused)
    product = parsed.product
    if product is None:
        return
    if scope in seen:
        yield Refused(InvalidInput(f"the product {product.name} is here twice, first in {seen[scope]}", file), scope)
        return
    seen[scope] = file
    bound = tuple(bind(port, product.name, context) for port in product.ports)
    warnings += [
        f"{line}: the port is bound to no known dataset: {one.why}" for line, one in zip(parsed.lines, bound, strict=True) if one.why
    ]
    yield Entry(scope, encode(facts(product, bound, context)), file_time(path))
