"""The Cypher of this store: the named queries of the .cypher files in this folder, loaded at import."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from meshline.graph.model import EDGE_TYPES, KINDS, AssetKind, from_micros

_NAME = re.compile(r"^//// (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*//.*\n?", re.MULTILINE)
_PARAMETER = re.compile(r"\$(?=\w)")

# The server plans a query again, in tenths of a second, for each order of magnitude of the length of a parameter. A map has none: all
# parameters of a query are in one.
PARAMETERS = "values"

# The label of an asset, by kind: DataProduct for DATA_PRODUCT.
LABELS = {kind: "".join(part.capitalize() for part in kind.split("_")) for kind in KINDS}


def parse_statements(file: str) -> dict[str, str]:
    """The queries of a file by name, each after a line `//// name`; their `$name` as the entry `name` of the map PARAMETERS."""
    text = files(__package__).joinpath(file).read_text("utf-8")
    _, *parts = _NAME.split(text)
    texts = [_PARAMETER.sub(f"${PARAMETERS}.", _COMMENT.sub("", cypher).strip()) for cypher in parts[1::2]]
    return dict(zip(parts[::2], texts, strict=True))


_STATEMENTS = parse_statements("queries.cypher")

# By number: migration n changes a store from schema n - 1 to schema n. Each query can be repeated.
MIGRATIONS = [[cypher for name, cypher in parse_statements("migrations.cypher").items() if name.startswith(f"v{n}_")] for n in range(1, 8)]


def get_cypher(name: str) -> str:
    """The query with this name."""
    return _STATEMENTS[name]


@cache
def get_cypher_of_kind(name: str, kind: AssetKind) -> str:
    """A query with `<kind>` replaced by the label of a kind (Cypher has no parameters for labels)."""
    return _STATEMENTS[name].replace("<kind>", LABELS[kind])


@cache
def get_cypher_of_edge(name: str, edge_type: str) -> str:
    """A query with `<edge>` replaced by an edge type."""
    assert edge_type in EDGE_TYPES
    return _STATEMENTS[name].replace("<edge>", edge_type)


def format_time(micros: int) -> str | None:
    """A time (microseconds) as text for Cypher's `datetime` (the driver's own times are slow); None outside of the calendar."""
    try:
        return from_micros(micros).isoformat()
    except OverflowError:
        return None
