"""Data product specifications, in two versions or one compared with the graph."""

from __future__ import annotations

from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.contracts import Pair, Part, Product, Version, build_port_names
from meshline.graph.model import Content, Scope
from meshline.ingest.changes import ChangeInput, GraphState, Proposal, Text
from meshline.ingest.documents import Document, parse_yaml
from meshline.ingest.sources.base import Context, Entry
from meshline.ingest.sources.products.facts import BoundPort, bind_port, build_product_facts
from meshline.ingest.sources.products.formats import parse_product

CHECK = "product/check"  # the source of a product that no source states yet


class _Read(NamedTuple):
    """A product as a file states it. `bound`: the datasets of its ports, in order."""

    version: Version[Product]
    bound: tuple[BoundPort, ...]
    warnings: tuple[str, ...]


def build_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """Compare two versions of a product. Raises InvalidInput with every problem of the files."""
    old, new = _read_both(given, known.context)
    before = old.version if old is not None else None
    after = new.version if new is not None else None
    if before is None and after is not None:
        before = known.find_product(after.value.name)
    warnings = new.warnings if new is not None else ()
    if before is not None and after is not None and before.value.name != after.value.name:
        return Proposal((Pair(before, None), Pair(None, after)), _build_entries(before, new, known), warnings)
    return Proposal((Pair(before, after),), _build_entries(before, new, known), warnings)


def _read_both(given: ChangeInput, context: Context) -> tuple[_Read | None, _Read | None]:
    read: list[_Read | None] = []
    problems: list[InvalidInput] = []
    for text in (given.before, given.after):
        one = _read(text, context) if text is not None else None
        read.append(one if isinstance(one, _Read) else None)
        problems += one if isinstance(one, list) else []
    if problems:
        raise InvalidInput("\n".join(map(str, problems)))
    return read[0], read[1]


def _read(text: Text, context: Context) -> _Read | list[InvalidInput]:
    parsed = parse_product(text.data, text.name)
    product = parsed.product
    if product is None:
        return list(parsed.refused)
    bound = tuple(bind_port(port, product.name, context) for port in product.ports)
    names = [f"{port.direction}/{name}" for port, name in zip(product.ports, build_port_names(product.ports), strict=True)]
    datasets = {name: one.datasets for name, one in zip(names, bound, strict=True)}
    unbound = [
        f"{line}: the port is bound to no known dataset: {one.why}" for line, one in zip(parsed.lines, bound, strict=True) if one.why
    ]
    ports: dict[Part, int] = {("port", *name.split("/", 1)): _parse_line(where) for name, where in zip(names, parsed.lines, strict=True)}
    lines = {**ports, **_collect_lines(parse_yaml(text.data, text.name), product)}
    return _Read(Version(product, datasets, text.name, lines), bound, (*parsed.warnings, *unbound))


def _parse_line(where: str) -> int:
    """The line of `file:line`."""
    return int(where.rpartition(":")[2])


def _collect_lines(found: Document, product: Product) -> dict[Part, int]:
    """Lines of the parts other than ports, in either dialect."""
    paths: dict[Part, tuple[str | int, ...]] = {("slo", level.name): ("slo", level.name) for level in product.slo}
    paths |= {("field", name): ("catalog", "pii_columns", i) for i, name in enumerate(product.pii_columns)}
    paths |= {("rule", " ".join(f"{one.tool} {one.suite}".split())): ("quality_checks", i) for i, one in enumerate(product.quality_checks)}
    paths |= {("terms", name): ("description", name) for name in ("usage", "limitations")}
    paths |= {("version",): ("version",), ("status",): ("status",), ("domain",): ("domain",), ("owner",): ("owner",)}
    lines = {part: found.lines[path] for part, path in paths.items() if path in found.lines}
    if ("team",) in found.lines:
        lines["owner",] = found.lines["team",]
    return lines


def _build_entries(before: Version[Product] | None, new: _Read | None, known: GraphState) -> tuple[tuple[str, Entry], ...]:
    """The entries of the product source; that of a removed product is empty."""
    entries: list[tuple[str, Entry]] = []
    if new is not None:
        entries.append(_build_entry(new.version.value.name, encode_facts(build_product_facts(new.version.value, new.bound)), known))
    if before is not None and (new is None or before.value.name != new.version.value.name):
        entries.append(_build_entry(before.value.name, EMPTY, known))
    return tuple(entries)


def _build_entry(name: str, content: Content, known: GraphState) -> tuple[str, Entry]:
    scope: Scope = ("product", name)
    sources = (source for source, entry in known.list_statements(model.build_data_product_key(name)) if entry.scope == scope)
    return next(sources, CHECK), Entry(scope, content)
