"""Data product specifications: files in two dialects. Each product is a scope."""

from __future__ import annotations

from typing import ClassVar

from meshline.ingest.sources.base import Context
from meshline.ingest.sources.products.facts import bind_port, build_product_facts
from meshline.ingest.sources.products.formats import parse_product
from meshline.ingest.sources.promise_files import ParsedPromise, PromiseFiles


class Products(PromiseFiles):
    """Files of specifications. `complete`: whether these are all files, so that a product whose file was removed is retracted."""

    kind: ClassVar[str] = "product"

    def parse(self, data: bytes, file: str, context: Context) -> ParsedPromise:
        parsed = parse_product(data, file)
        scope = ("product", parsed.name)
        about = scope if parsed.name else ()
        product = parsed.product
        if product is None:
            return ParsedPromise(parsed.name, about, None, None, parsed.refused, parsed.warnings)
        bound = tuple(bind_port(port, product.name, context) for port in product.ports)
        unbound = [
            f"{line}: the port is bound to no known dataset: {one.why}" for line, one in zip(parsed.lines, bound, strict=True) if one.why
        ]
        product_facts = build_product_facts(product, bound)
        return ParsedPromise(f"the product {product.name}", about, scope, product_facts, parsed.refused, [*parsed.warnings, *unbound])
