"""Parts of contents are what the whole has."""

from __future__ import annotations

import pytest
from hypothesis import given

from meshline.errors import StoreCorrupt
from meshline.graph.content import EMPTY, decode_attributes, decode_facts
from meshline.graph.model import Statement
from tests.index.strategies import any_statement


@given(any_statement)
def test_attributes_alone_are_those_of_all_facts(statement: Statement) -> None:
    blob = statement.content.blob
    assert decode_attributes(blob) == {fact.key: fact.attributes for fact in decode_facts(blob).assets}


def test_attributes_of_bytes_that_are_no_content() -> None:
    assert decode_attributes(EMPTY.blob) == {}
    with pytest.raises(StoreCorrupt, match="restore the store from a backup"):
        decode_attributes(EMPTY.blob[:-1])
    with pytest.raises(StoreCorrupt, match="restore the store from a backup"):
        decode_attributes(b"\xff")
