"""A statement may contain numbers of any size."""

from __future__ import annotations

import pytest

from meshline.graph.content import decode_facts, encode_facts
from meshline.graph.model import AssetFact, EdgeFact, EdgeType, Facts, Json, build_dataset_key, build_owner_key

TABLE = build_dataset_key("db", "t")


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (2**64, 2.0**64),
        (-(10**40), -1e40),
        (10**400, str(10**400)),
        ([{"a": 2**70}], [{"a": 2.0**70}]),
    ],
)
def test_an_integer_that_has_no_room_is_kept_as_near_as_can_be(stated: Json, kept: Json) -> None:
    facts = Facts(
        assets=(AssetFact(TABLE, {"limit": stated, "flag": True}),),
        edges=(
            EdgeFact(EdgeType.OWNS, build_owner_key("o"), TABLE, {"n": stated}),
            EdgeFact(EdgeType.OWNS, build_owner_key("o"), TABLE, {"n": stated}),
        ),
    )
    found = decode_facts(encode_facts(facts).blob)
    assert found.assets == (AssetFact(TABLE, {"limit": kept, "flag": True}),)
    assert found.edges == (EdgeFact(EdgeType.OWNS, build_owner_key("o"), TABLE, {"n": kept}),)
