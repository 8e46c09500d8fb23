"""The statements of lineage facets: hoisting, types, names that only the facet has, the newer facet, job and dataset events."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ingest.lineage_events import (
    Event,
    Graph,
    build_dataset,
    build_event,
    build_lineage_facet,
    build_schema_facet,
    build_source_field,
    format_column_flows,
    format_dataset_flows,
    format_edges,
    format_time,
    ingest_each,
)


def ingest_facet(facet: Event, *inputs: Event, **facets: Any) -> Graph:
    """A completed run that writes `mart` with this columnLineage."""
    return ingest_each(
        build_event("COMPLETE", 1, inputs or [build_dataset("orders")], [build_dataset("mart", columnLineage=facet, **facets)])
    )


def ingest_flows(facet: Event, *inputs: Event, **facets: Any) -> set[str]:
    return format_column_flows(ingest_facet(facet, *inputs, **facets).read_output_facts("mart"))


def test_what_is_repeated_under_every_field_is_stated_once_of_the_dataset() -> None:
    join, group = build_source_field("orders", "k", "INDIRECT/JOIN"), build_source_field("orders", "g", "INDIRECT/GROUP_BY")
    assert ingest_flows(build_lineage_facet(a=[join, build_source_field("orders", "a", "DIRECT/IDENTITY")], b=[join, group])) == {
        "orders.k -> mart.* INDIRECT JOIN",
        "orders.a -> mart.a IDENTITY",
        "orders.g -> mart.b INDIRECT GROUP_BY",
    }


@pytest.mark.parametrize("subtype", ["JOIN", "FILTER", "GROUP_BY", "SORT"])
def test_of_one_field_all_is_everywhere(subtype: str) -> None:
    assert ingest_flows(build_lineage_facet(a=[build_source_field("orders", "k", f"INDIRECT/{subtype}")])) == {
        f"orders.k -> mart.* INDIRECT {subtype}"
    }


@pytest.mark.parametrize("subtype", ["CONDITIONAL", "WINDOW", ""])
def test_indirect_lineage_of_a_single_column_is_never_hoisted(subtype: str) -> None:
    facet = build_lineage_facet(
        a=[build_source_field("orders", "k", f"INDIRECT/{subtype}")], b=[build_source_field("orders", "k", f"INDIRECT/{subtype}")]
    )
    kind = f" {subtype}" if subtype else ""
    assert ingest_flows(facet) == {f"orders.k -> mart.a INDIRECT{kind}", f"orders.k -> mart.b INDIRECT{kind}"}


def test_other_subtypes_under_other_fields_are_not_the_same() -> None:
    facet = build_lineage_facet(
        a=[build_source_field("orders", "k", "INDIRECT/JOIN")], b=[build_source_field("orders", "k", "INDIRECT/FILTER")]
    )
    assert ingest_flows(facet) == {"orders.k -> mart.a INDIRECT JOIN", "orders.k -> mart.b INDIRECT FILTER"}


def test_a_direct_flow_of_the_same_column_stays() -> None:
    both = build_source_field("orders", "k", "DIRECT/IDENTITY", "INDIRECT/JOIN")
    assert ingest_flows(build_lineage_facet(k=[both])) == {"orders.k -> mart.k IDENTITY", "orders.k -> mart.* INDIRECT JOIN"}


def test_a_hoisted_flow_is_masked_only_if_it_is_under_every_field() -> None:
    masked, plain = build_source_field("orders", "k", "INDIRECT/JOIN", masking=True), build_source_field("orders", "k", "INDIRECT/JOIN")
    assert ingest_flows(build_lineage_facet(a=[masked], b=[masked])) == {"orders.k -> mart.* INDIRECT JOIN masked"}
    assert ingest_flows(build_lineage_facet(a=[masked], b=[plain])) == {"orders.k -> mart.* INDIRECT JOIN"}


def test_lineage_that_affects_the_dataset_is_indirect_whatever_type_it_states() -> None:
    facet = build_lineage_facet([build_source_field("orders", "day", "DIRECT/IDENTITY"), build_source_field("orders", "x")], a=[])
    assert ingest_flows(facet) == {"orders.day -> mart.* INDIRECT IDENTITY", "orders.x -> mart.* INDIRECT"}


@pytest.mark.parametrize(
    ("transformations", "expected"),
    [
        ([], "orders.id -> mart.a"),
        (None, "orders.id -> mart.a"),
        ([None], "orders.id -> mart.a"),
        ([{}], "orders.id -> mart.a"),
        ([{"type": None, "subtype": None}], "orders.id -> mart.a"),
        ([{"type": "unheard of"}], "orders.id -> mart.a"),
        ([{"type": "indirect", "subtype": "conditional"}], "orders.id -> mart.a INDIRECT CONDITIONAL"),
        ([{"type": "Direct", "subtype": "own", "masking": True}], "orders.id -> mart.a own masked"),
    ],
)
def test_transformations_are_read_leniently(transformations: object, expected: str) -> None:
    field = {"namespace": "db", "name": "orders", "field": "id", "transformations": transformations}
    assert ingest_flows({"fields": {"a": {"inputFields": [field]}}}) == {expected}


@pytest.mark.parametrize(
    ("deprecated", "expected"),
    [
        ("IDENTITY", "orders.id -> mart.a IDENTITY"),
        ("MASKED", "orders.id -> mart.a masked"),
        ("", "orders.id -> mart.a"),
        (None, "orders.id -> mart.a"),
    ],
)
def test_the_deprecated_transformation_type_is_read(deprecated: object, expected: str) -> None:
    field = {"namespace": "db", "name": "orders", "field": "id"}
    facet = {"fields": {"a": {"inputFields": [field], "transformationType": deprecated, "transformationDescription": "x"}}}
    assert ingest_flows(facet) == {expected}


def test_pseudo_columns_are_no_columns() -> None:
    fields = ["_file", "_pos", "_metadata", "_metadata.file_path", "_FILE", "_deleted", "_row_id"]
    facet = build_lineage_facet(
        [build_source_field("orders", "_file")],
        a=[build_source_field("orders", f) for f in fields],
        _file=[build_source_field("orders", "a")],
    )
    assert ingest_flows(facet) == set()
    known = ingest_facet(facet, schema=build_schema_facet("a", "_file", "_metadata"))
    assert format_edges(known.read_facts("dataset", "db", "mart", "schema")) == {"mart HAS_COLUMN a"}


def test_some_are_columns_if_a_schema_in_the_run_lists_them() -> None:
    facet = build_lineage_facet(
        a=[build_source_field("orders", "_deleted"), build_source_field("orders", "_partition"), build_source_field("orders", "_file")]
    )
    inputs = [build_dataset("orders", schema=build_schema_facet("_deleted", "_file"))]
    assert ingest_flows(facet, *inputs) == {"orders._deleted -> mart.a"}


def test_pseudo_columns_do_not_hinder_hoisting() -> None:
    join = build_source_field("orders", "k", "INDIRECT/JOIN")
    assert ingest_flows(build_lineage_facet(a=[join], _file=[])) == {"orders.k -> mart.* INDIRECT JOIN"}


def test_an_input_that_no_column_comes_from_is_not_covered() -> None:
    """dbt names a CTE where the true input is meant."""
    facet = build_lineage_facet(a=[build_source_field("customers", "id")], b=[build_source_field("paid", "amount")])
    known = ingest_facet(facet, build_dataset("customers"), build_dataset("shop.orders")).read_output_facts("mart")
    assert format_column_flows(known) == {"customers.id -> mart.a", "paid.amount -> mart.b"}
    assert format_dataset_flows(known) == {"customers -> mart": True, "shop.orders -> mart": False}
    assert "etl READS paid" not in format_edges(known)


def test_a_column_into_the_whole_dataset_covers_the_pair() -> None:
    assert format_dataset_flows(
        ingest_facet(build_lineage_facet([build_source_field("orders", "k", "INDIRECT/FILTER")], a=[])).read_output_facts("mart")
    ) == {"orders -> mart": True}


def build_linked_dataset(name: str, link: str, namespace: str = "db") -> Event:
    return build_dataset(name, namespace, symlinks={"identifiers": [{"namespace": "cat", "name": link, "type": "TABLE"}]})


def build_single_source(name: str, namespace: str) -> Event:
    return build_lineage_facet(a=[build_source_field(name, "id", namespace=namespace)])


def test_a_name_in_a_column_lineage_is_resolved_by_symlink() -> None:
    assert ingest_flows(
        build_single_source("lake.orders", "cat"), build_linked_dataset("/w/1", "lake.orders"), build_dataset("orders")
    ) == {"/w/1.id -> mart.a"}


def test_then_by_case() -> None:
    assert ingest_flows(build_single_source("SHOP.Orders", "DB"), build_dataset("shop.orders"), build_dataset("x.orders")) == {
        "shop.orders.id -> mart.a"
    }


def test_then_by_the_last_part_of_the_name() -> None:
    assert ingest_flows(build_single_source("Orders", "db"), build_dataset("shop.orders"), build_dataset("x")) == {
        "shop.orders.id -> mart.a"
    }
    assert ingest_flows(build_single_source("x/orders", "elsewhere"), build_dataset("/w/orders")) == {"/w/orders.id -> mart.a"}


def test_only_if_exactly_one_fits() -> None:
    assert ingest_flows(build_single_source("orders", "db"), build_dataset("shop.orders"), build_dataset("x.orders")) == {
        "orders.id -> mart.a"
    }
    two = [build_linked_dataset("/w/1", "t"), build_linked_dataset("/w/2", "t"), build_dataset("t")]
    assert ingest_flows(build_single_source("t", "cat"), *two) == {"t.id -> mart.a"}


def test_a_resolved_input_is_covered() -> None:
    assert format_dataset_flows(ingest_facet(build_single_source("ORDERS", "db")).read_output_facts("mart")) == {"orders -> mart": True}


def test_an_inferred_dataset_has_no_scope_of_its_own() -> None:
    known = ingest_facet(build_single_source("s3a-cte//x/", "s3a://b"))
    assert not [scope for scope in known.read_heads() if "s3" in "".join(scope)]


# -- the newer facet


def build_target(name: str, **facets: Any) -> Event:
    return {"namespace": "db", "name": name, "type": "DATASET", **facets}


def build_feed(name: str, field: str | None = None, **more: Any) -> Event:
    return {"namespace": "db", "name": name, "type": "DATASET", **({"field": field} if field else {}), **more}


BOTH = [build_dataset("a"), build_dataset("b")]


def test_the_lineage_facet_comes_before_column_lineage_and_inputs_x_outputs() -> None:
    explicit = {"inputs": [build_feed("a")], "fields": {"x": {"inputs": [build_feed("b", "y")]}}}
    facets = {"lineage": explicit, "columnLineage": build_lineage_facet(x=[build_source_field("a", "z")])}
    known = ingest_each(build_event("COMPLETE", 1, BOTH, [build_dataset("mart", **facets)])).read_output_facts("mart")
    assert format_column_flows(known) == {"b.y -> mart.x"}
    assert format_dataset_flows(known) == {"a -> mart": False}
    assert format_edges(known) == {"etl READS a", "etl READS b", "etl WRITES mart"}


def test_an_empty_array_of_inputs_means_that_there_are_none() -> None:
    known = ingest_each(build_event("COMPLETE", 1, BOTH, [build_dataset("mart", lineage={"inputs": []})])).read_output_facts("mart")
    assert format_dataset_flows(known) == {}
    assert format_edges(known) == {"etl READS a", "etl READS b", "etl WRITES mart"}


def test_neither_inputs_nor_fields_states_nothing() -> None:
    known = ingest_each(
        build_event(
            "COMPLETE", 1, BOTH, [build_dataset("mart", lineage={}, columnLineage=build_lineage_facet(x=[build_source_field("a", "z")]))]
        )
    ).read_output_facts("mart")
    assert format_column_flows(known) == {"a.z -> mart.x"}


def test_an_input_with_a_field_affects_the_whole_target() -> None:
    by = build_feed("a", "g", transformations=[{"type": "DIRECT", "subtype": "GROUP_BY"}])
    known = ingest_each(build_event("COMPLETE", 1, BOTH, [build_dataset("mart", lineage={"inputs": [by]})])).read_output_facts("mart")
    assert format_column_flows(known) == {"a.g -> mart.* INDIRECT GROUP_BY"}


def test_a_field_of_which_only_the_source_dataset_is_known_is_not_covered() -> None:
    fields = {"x": {"inputs": [build_feed("a", "y")]}, "z": {"inputs": [build_feed("a")]}}
    known = ingest_each(
        build_event("COMPLETE", 1, BOTH, [build_dataset("mart", lineage={"inputs": [build_feed("a")], "fields": fields})])
    ).read_output_facts("mart")
    assert format_column_flows(known) == {"a.y -> mart.x"}
    assert format_dataset_flows(known) == {"a -> mart": False}


def test_entries_of_a_job_state_which_input_goes_where() -> None:
    entries = [build_target("c", inputs=[build_feed("a")]), build_target("d", inputs=[build_feed("b")])]
    known = ingest_each(
        build_event(
            "COMPLETE", 1, BOTH, [build_dataset("c"), build_dataset("d"), build_dataset("e")], job_facets={"lineage": {"entries": entries}}
        )
    )
    assert format_dataset_flows(known.read_output_facts("c")) == {"a -> c": False}
    assert format_dataset_flows(known.read_output_facts("d")) == {"b -> d": False}
    assert format_dataset_flows(known.read_output_facts("e")) == {"a -> e": False, "b -> e": False}


def test_a_target_that_is_no_output_is_written_too() -> None:
    known = ingest_each(build_event("COMPLETE", 1, job_facets={"lineage": {"entries": [build_target("c", inputs=[build_feed("a")])]}}))
    assert format_edges(known.read_output_facts("c")) == {"etl READS a", "etl WRITES c"}
    assert format_dataset_flows(known.read_output_facts("c")) == {"a -> c": False}


def test_entries_of_jobs_are_read_and_written() -> None:
    other = {"type": "JOB", "namespace": "jobs", "name": "other"}
    entries = [
        {"type": "JOB", "inputs": [build_feed("a")]},
        {**other, "inputs": [build_feed("b"), {"type": "JOB", "namespace": "jobs", "name": "third"}]},
        build_target("c", inputs=[other, {"type": "JOB"}]),
    ]
    known = ingest_each(build_event("COMPLETE", 1, [], [build_dataset("c")], job_facets={"lineage": {"entries": entries}}))
    assert format_edges(known.read_facts("job-reads", "jobs", "etl")) == {"etl READS a", "other READS b"}
    assert format_edges(known.read_output_facts("c")) == {"etl WRITES c", "other WRITES c"}


# -- events without a run


def build_job_event(minute: float, **more: Any) -> Event:
    return {"eventTime": format_time(minute), "job": {"namespace": "jobs", "name": "etl", **more.pop("job", {})}, **more}


def test_a_declared_job_is_replaced_as_a_whole() -> None:
    facet = build_lineage_facet(x=[build_source_field("a", "z", "DIRECT/IDENTITY")])
    known = ingest_each(build_job_event(1, inputs=BOTH, outputs=[build_dataset("c", columnLineage=facet), build_dataset("d")]))
    declared = known.read_facts("job-declared", "jobs", "etl")
    assert format_edges(declared) == {"etl READS a", "etl READS b", "etl WRITES c", "etl WRITES d"}
    assert format_column_flows(declared) == {"a.z -> c.x IDENTITY"}
    assert format_dataset_flows(declared) == {"a -> c": True, "b -> c": False, "a -> d": False, "b -> d": False}
    known.ingest([build_job_event(2, inputs=[build_dataset("a")])])
    assert format_edges(known.read_facts("job-declared", "jobs", "etl")) == {"etl READS a"}
    known.ingest([build_job_event(3)])
    assert format_edges(known.read_facts("job-declared", "jobs", "etl")) == set()
    assert known.find_heads("job-declared")


def test_declared_and_observed_lineage_stand_side_by_side() -> None:
    known = ingest_each(
        build_job_event(1, inputs=[build_dataset("a")], outputs=[build_dataset("c")]),
        build_event("COMPLETE", 2, [build_dataset("b")], [build_dataset("c")]),
    )
    assert format_dataset_flows(known.read_facts("job-declared", "jobs", "etl")) == {"a -> c": False}
    assert format_dataset_flows(known.read_output_facts("c")) == {"b -> c": False}


def test_an_event_type_does_not_make_a_run() -> None:
    assert ingest_each(build_job_event(1, eventType="COMPLETE", inputs=[build_dataset("a")])).find_heads("job-declared")


def build_dataset_event(minute: float, dataset: Event) -> Event:
    return {"eventTime": format_time(minute), "dataset": dataset}


def test_a_dataset_event_states_what_the_dataset_is_derived_from_without_a_job() -> None:
    known = ingest_each(build_dataset_event(1, build_dataset("view", columnLineage=build_lineage_facet(x=[build_source_field("a", "z")]))))
    derived = known.read_facts("dataset-lineage", "db", "view")
    assert format_column_flows(derived) == {"a.z -> view.x"}
    assert derived.edges == ()
    assert {flow.job for flow in derived.flows} == {None}
    known.ingest([build_dataset_event(2, build_dataset("view", columnLineage={"_deleted": True}))])
    assert not known.find_heads("dataset-lineage")


def test_a_dataset_event_with_the_newer_facet() -> None:
    known = ingest_each(
        build_dataset_event(
            1,
            build_dataset(
                "view", lineage={"inputs": [build_feed("a"), build_feed("b")], "fields": {"x": {"inputs": [build_feed("a", "y")]}}}
            ),
        )
    )
    derived = known.read_facts("dataset-lineage", "db", "view")
    assert format_column_flows(derived) == {"a.y -> view.x"}
    assert format_dataset_flows(derived) == {"a -> view": True, "b -> view": False}


def test_a_dataset_event_without_facets_makes_the_dataset_known() -> None:
    assert ingest_each(build_dataset_event(1, build_dataset("t"))).read_facts("dataset", "db", "t", "seen").assets
