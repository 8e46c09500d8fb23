"""The index keeps the same products, domains and owners as a rebuilt index computes."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex, index_tables
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    AssetKind,
    EdgeFact,
    EdgeType,
    Facts,
    Statement,
    build_data_product_key,
    build_domain_key,
)
from meshline.graph.queries.groups import Groups
from tests.index.heads import Fold, build_flow, build_schema, build_statement, state_lineage, to_column, to_dataset
from tests.index.oracle import Oracle
from tests.index.strategies import any_statement, columns, contracts, datasets, described_owners, owners, statuses, times
from tests.sizes import count_examples

PRODUCTS, DOMAINS = ("p", "q"), ("dom", "sub", "top")

products = st.sampled_from(PRODUCTS).map(build_data_product_key)
domains = st.sampled_from(DOMAINS).map(build_domain_key)
owned = st.one_of(datasets.map(to_dataset), columns.map(to_column), products, domains, contracts)
edges = st.one_of(
    st.builds(lambda product, d: EdgeFact(EdgeType.PORT, product, to_dataset(d), {"direction": "output"}), products, datasets),
    st.builds(
        lambda c, what, status: EdgeFact(EdgeType.GOVERNS, c, what, status),
        contracts,
        st.one_of(datasets.map(to_dataset), columns.map(to_column)),
        statuses,
    ),
    st.builds(lambda part, of: EdgeFact(EdgeType.PART_OF, part, of), st.one_of(products, domains), domains),
    st.builds(lambda who, what: EdgeFact(EdgeType.OWNS, who, what, {"type": "business"}), owners, owned),
)
group_statements = st.builds(
    lambda found, at, scope, source: build_statement(Facts(edges=tuple(found)), ("mesh", f"h{scope}"), at, source=source),
    st.lists(edges, min_size=1, max_size=3),
    times,
    st.integers(0, 3),
    st.sampled_from(("mesh/m", "mesh/n", "person/p")),
)
rules = st.builds(
    lambda container, names, at: build_statement(
        Facts(assets=(AssetFact(container, {"members": names}),)), ("mesh", container.kind, container.name), at, source="mesh/m"
    ),
    st.one_of(products, domains),
    st.lists(st.sampled_from(("db/*", "db/a", "db/[bc]", "db/?", "*", "*/d", "?b/*")), max_size=3),
    times,
)
statements = st.one_of(group_statements, group_statements, rules, described_owners, any_statement)


def describe_groups(index: LineageIndex) -> object:
    """Each asset by name with its containers and owners, and the starts of products and domains."""
    dump = index.dump()
    asked = [found for asset in dump.assets if (found := index.assets.find_by_key(asset.shown)) is not None]
    starts = {}
    for node in asked:
        if index.assets.get_kind(node) in {AssetKind.DATA_PRODUCT, AssetKind.DOMAIN}:
            begun = index.lineage.traverse([node], Direction.DOWNSTREAM).starts.tolist()
            starts[index.assets.get_key(node)] = sorted(index.assets.get_key(start) for start in begun if index.assets.is_visible(start))
    return dump.assets, starts, list_group_rows(index, asked)


def list_group_rows(index: LineageIndex, nodes: list[int]) -> list[tuple[object, ...]]:
    """The same as whole arrays, by the names of the assets."""
    found = Groups(index, np.unique(np.array(nodes, np.int32)))
    owners = found.list_owners(range(len(found.nodes)))
    rows = zip(found.nodes.tolist(), found.products[found.at].tolist(), found.domains[found.at].tolist(), owners, strict=True)

    def name(node: int) -> AssetKey | None:
        return None if node < 0 else index.assets.get_key(node)

    named = [
        (index.assets.get_key(node), name(product), name(of), sorted(map(index.assets.get_key, who))) for node, product, of, who in rows
    ]
    return sorted(named, key=repr)


@pytest.mark.parametrize("compacting", [False, True])
@settings(max_examples=count_examples(150))
@given(batches=st.lists(st.lists(statements, min_size=1, max_size=3), min_size=2, max_size=7), random=st.randoms(use_true_random=False))
def test_what_is_remembered_is_what_is_stated(*, compacting: bool, batches: list[list[Statement]], random: Random) -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    with pytest.MonkeyPatch.context() as patch:
        if compacting:
            patch.setattr(index_tables, "GARBAGE", 5)
        for batch in batches:
            index.changes.apply(fold.add(*batch))
            if random.random() < 0.3:
                index.changes.apply(fold.withdraw(random.choice(fold.statements)))
            if random.random() < 0.7:  # sometimes several changes between two questions
                assert describe_groups(index) == describe_groups(fold.build_index())
        assert describe_groups(index) == describe_groups(fold.build_index())


@settings(max_examples=count_examples(100))
@given(st.lists(statements, min_size=1, max_size=8))
def test_arrays_give_the_answers_of_single_questions(stated: list[Statement]) -> None:
    fold = Fold()
    fold.add(*stated)
    index = fold.build_index()
    nodes = [node for asset in index.dump().assets if (node := index.assets.find_by_key(asset.shown)) is not None]
    for key, product, of, whose in list_group_rows(index, nodes):
        assert isinstance(key, AssetKey)
        node = index.assets.find_by_key(key)
        assert node is not None
        if key.kind is not AssetKind.DATA_PRODUCT:
            assert product == (None if (found := index.ownership.find_product(node)) is None else index.assets.get_key(found))
        if key.kind is not AssetKind.DOMAIN:
            assert of == (None if (found := index.ownership.find_domain(node)) is None else index.assets.get_key(found))
        assert whose == sorted({index.assets.get_key(one.owner) for one in index.ownership.list_owners(node)})


owning = st.builds(
    lambda who, what, at, source: build_statement(
        Facts(edges=(EdgeFact(EdgeType.OWNS, who, to_dataset(what)),)), ("mesh", f"{who.name} owns {what}"), at, source=source
    ),
    owners,
    st.sampled_from("ab"),
    times,
    st.sampled_from(("mesh/m", "openlineage/test")),
)


@settings(max_examples=count_examples(150))
@given(st.lists(st.lists(statements, min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from((None, None, 6)))
def test_owners_are_the_oracle_s(batches: list[list[Statement]], as_of: int | None) -> None:
    check_owners(batches, as_of)


@settings(max_examples=count_examples(150))
@given(st.lists(st.lists(st.one_of(described_owners, owning), min_size=1, max_size=5), min_size=1, max_size=3), st.booleans())
def test_forms_of_owners_are_the_oracle_s(batches: list[list[Statement]], withdrawn: bool) -> None:  # noqa: FBT001
    check_owners([[state_lineage(build_flow("a.x", "b.x"))], *batches], None, batches[-1][-1] if withdrawn else None)


def check_owners(batches: list[list[Statement]], as_of: int | None, withdrawn: Statement | None = None) -> None:
    fold, live = Fold(), LineageIndex.load([], 0)
    for batch in batches:
        live.changes.apply(fold.add(*batch))
        live.dump()  # what is remembered of each asset has to be forgotten where the next batch changes it
    if withdrawn is not None:
        live.changes.apply(fold.withdraw(withdrawn))
    index = live if as_of is None else fold.build_index(as_of)
    assert as_of is not None or index.dump() == fold.build_index().dump()
    oracle = Oracle(fold.list_heads(as_of))
    for key in oracle.mentioned:
        node = index.assets.find_by_key(key)
        assert node is not None
        found = {
            (index.assets.get_key(one.owner), one.type, index.assets.get_kind(one.level))
            for one in index.ownership.list_direct_owners(node)
        }
        assert found == oracle.list_direct_owners(key), key
    for key in oracle.mentioned:
        if key.kind is AssetKind.OWNER:
            node = index.assets.find_by_key(key)
            assert node is not None
            assert index.assets.get_key(node) == oracle.find_owner(key)
            assert index.assets.get_label(node).id == oracle.find_owner(key).id


def test_the_cost_of_a_change_depends_on_what_it_affects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new dataset, or one more run of a job, asks nothing of the products of other datasets."""
    fold = Fold()
    fold.add(
        build_statement(Facts(assets=(AssetFact(build_data_product_key("p"), {"members": ["db/*"]}),)), ("mesh", "p"), source="mesh/m")
    )
    fold.add(
        *(build_statement(build_schema(name, "x"), ("dataset", "db", name)) for name in "abc"), state_lineage(build_flow("a.x", "b.x"))
    )
    index = fold.build_index()
    everything = np.array([index.assets.find_by_key(to_dataset(name)) for name in "abc"], np.int32)
    index.ownership.find_products(everything)
    placed: list[int] = []
    place = index._ownership._place

    def count_places(dataset: int) -> None:
        placed.append(dataset)
        place(dataset)

    monkeypatch.setattr(index._ownership, "_place", count_places)
    index.changes.apply(fold.add(build_statement(build_schema("d", "x"), ("dataset", "db", "d"))))
    index.changes.apply(fold.add(state_lineage(build_flow("a.x", "b.x"), at=1)))
    index.ownership.find_products(everything)
    assert {index.assets.get_key(node) for node in placed} == {to_dataset("a"), to_dataset("b")}
