"""Any change to a good file is a contract or a product, or refused with a line: never a fault."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshline.errors import InvalidInput
from meshline.graph.content import encode_facts
from meshline.graph.naming import Naming
from meshline.ingest.documents import parse_yaml
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.contracts import source as contracts
from meshline.ingest.sources.contracts.facts import build_contract_facts
from meshline.ingest.sources.products import formats as products
from meshline.ingest.sources.products.facts import bind_port, build_product_facts
from tests.ingest.sources.contract_files import SPECIFICATION, STANDARD
from tests.ingest.sources.test_products import STANDARD as PRODUCT
from tests.sizes import count_examples

SPEC = """\
name: p
domain: d
owner: a@b.c
version: "1"
slo: {freshness: 1h}
output_ports: [{type: sql, endpoint: trino://h/a/b, format: x}]
input_ports: [{source: a.b.c, refresh: daily}]
quality_checks: [{tool: soda, checks: a.yml, run: hourly}]
catalog: {registered_in: DataHub, tags: [pii], pii_columns: [a]}
"""

CONTEXT = Context(Naming(), FilePath())


def parse_contract(data: bytes) -> tuple[InvalidInput, ...]:
    """The refusals of a contract; one that is not refused can be turned into statements."""
    parsed = contracts.parse_contract_file(data, "f.yaml")
    assert (parsed.contract is None) == bool(parsed.refused)
    if parsed.contract is not None:
        encode_facts(build_contract_facts(parsed.contract, CONTEXT).facts)
    return parsed.refused


def parse_product_file(data: bytes) -> tuple[InvalidInput, ...]:
    parsed = products.parse_product(data, "f.yaml")
    assert (parsed.product is None) == bool(parsed.refused)
    if parsed.product is not None:
        assert len(parsed.lines) == len(parsed.product.ports)
        bound = tuple(bind_port(port, parsed.product.name, CONTEXT) for port in parsed.product.ports)
        encode_facts(build_product_facts(parsed.product, bound))
    return parsed.refused


def list_places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value but the whole."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*here, key)
        yield from list_places(part, (*here, key))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**9),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=20),
    st.lists(st.integers(), max_size=2),
    st.just([]),
    st.just({}),
    st.just({"$ref": "#/definitions/order_id"}),
    st.just([{"name": "x", "value": 1}]),
    st.just({"x": {"y": [{}]}}),
)


@pytest.mark.parametrize(
    ("text", "take"),
    [(SPECIFICATION, parse_contract), (STANDARD, parse_contract), (PRODUCT, parse_product_file), (SPEC, parse_product_file)],
    ids=["specification", "standard", "product standard", "product"],
)
@settings(max_examples=count_examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_change_is_ingested_or_refused(text: str, take: Callable[[bytes], tuple[InvalidInput, ...]], data: st.DataObject) -> None:
    value = copy.deepcopy(parse_yaml(text.encode(), "f").value)
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(list(list_places(value))))
        here: Any = value
        for part in above:
            here = here[part]
        if data.draw(st.booleans()):
            here[last] = copy.deepcopy(data.draw(VALUES))
        else:
            del here[last]
    for error in take(json.dumps(value, indent=1).encode()):
        assert re.fullmatch(r"f\.yaml:[0-9]+", error.where), error
