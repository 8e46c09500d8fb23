"""Data product specifications: files in two dialects, a scope for each product."""

from __future__ import annotations

from typing import ClassVar

from meshline.ingest.sources.base import Context
from meshline.ingest.sources.products.facts import bind, facts
from meshline.ingest.sources.products.formats import parse
from meshline.ingest.sources.promise_files import Promised, PromisedFiles


class Products(PromisedFiles):
    """Specifications. `complete`: whether these are all, so that a product whose file is gone is retracted."""

    kind: ClassVar[str] = "product"

    def promised(self, data: bytes, file: str, context: Context) -> Promised:
        parsed = parse(data, file)
        scope = ("product", parsed.name)
        about = scope if parsed.name else ()
        product = parsed.product
        if product is None:
            return Promised(parsed.name, about, None, None, parsed.refused, parsed.warnings)
        bound = tuple(bind(port, product.name, context) for port in product.ports)
        unbound = [
            f"{line}: the port is bound to no known dataset: {one.why}" for line, one in zip(parsed.lines, bound, strict=True) if one.why
        ]
        said = facts(product, bound)
        return Promised(f"the product {product.name}", about, scope, said, parsed.refused, [*parsed.warnings, *unbound])
