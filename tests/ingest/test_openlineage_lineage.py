"""What lineage facets state: hoisting, types, names that are only there, the newer facet, job and dataset events."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ingest.speaking import Event, Graph, columns, ds, edges, event, ingest_each, iso, lineage, pairs, schema, source_field


def ingest_facet(facet: Event, *inputs: Event, **facets: Any) -> Graph:
    """A completed run that writes `mart` with this columnLineage."""
    return ingest_each(event("COMPLETE", 1, inputs or [ds("orders")], [ds("mart", columnLineage=facet, **facets)]))


def flows(facet: Event, *inputs: Event, **facets: Any) -> set[str]:
    return columns(ingest_facet(facet, *inputs, **facets).output("mart"))


def test_what_is_repeated_under_every_field_is_stated_once_of_the_dataset() -> None:
    join, group = source_field("orders", "k", "INDIRECT/JOIN"), source_field("orders", "g", "INDIRECT/GROUP_BY")
    assert flows(lineage(a=[join, source_field("orders", "a", "DIRECT/IDENTITY")], b=[join, group])) == {
        "orders.k -> mart.* INDIRECT JOIN",
        "orders.a -> mart.a IDENTITY",
        "orders.g -> mart.b INDIRECT GROUP_BY",
    }


@pytest.mark.parametrize("subtype", ["JOIN", "FILTER", "GROUP_BY", "SORT"])
def test_of_one_field_all_is_everywhere(subtype: str) -> None:
    assert flows(lineage(a=[source_field("orders", "k", f"INDIRECT/{subtype}")])) == {f"orders.k -> mart.* INDIRECT {subtype}"}


@pytest.mark.parametrize("subtype", ["CONDITIONAL", "WINDOW", ""])
def test_what_is_about_its_one_column_is_never_hoisted(subtype: str) -> None:
    facet = lineage(a=[source_field("orders", "k", f"INDIRECT/{subtype}")], b=[source_field("orders", "k", f"INDIRECT/{subtype}")])
    kind = f" {subtype}" if subtype else ""
    assert flows(facet) == {f"orders.k -> mart.a INDIRECT{kind}", f"orders.k -> mart.b INDIRECT{kind}"}


def test_other_subtypes_under_other_fields_are_not_the_same() -> None:
    facet = lineage(a=[source_field("orders", "k", "INDIRECT/JOIN")], b=[source_field("orders", "k", "INDIRECT/FILTER")])
    assert flows(facet) == {"orders.k -> mart.a INDIRECT JOIN", "orders.k -> mart.b INDIRECT FILTER"}


def test_a_direct_flow_of_the_same_column_stays() -> None:
    both = source_field("orders", "k", "DIRECT/IDENTITY", "INDIRECT/JOIN")
    assert flows(lineage(k=[both])) == {"orders.k -> mart.k IDENTITY", "orders.k -> mart.* INDIRECT JOIN"}


def test_a_hoisted_flow_is_masked_only_if_it_is_under_every_field() -> None:
    masked, plain = source_field("orders", "k", "INDIRECT/JOIN", masking=True), source_field("orders", "k", "INDIRECT/JOIN")
    assert flows(lineage(a=[masked], b=[masked])) == {"orders.k -> mart.* INDIRECT JOIN masked"}
    assert flows(lineage(a=[masked], b=[plain])) == {"orders.k -> mart.* INDIRECT JOIN"}


def test_what_affects_the_dataset_is_indirect_whatever_type_it_states() -> None:
    facet = lineage([source_field("orders", "day", "DIRECT/IDENTITY"), source_field("orders", "x")], a=[])
    assert flows(facet) == {"orders.day -> mart.* INDIRECT IDENTITY", "orders.x -> mart.* INDIRECT"}


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
    assert flows({"fields": {"a": {"inputFields": [field]}}}) == {expected}


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
    assert flows(facet) == {expected}


def test_pseudo_columns_are_no_columns() -> None:
    fields = ["_file", "_pos", "_metadata", "_metadata.file_path", "_FILE", "_deleted", "_row_id"]
    facet = lineage([source_field("orders", "_file")], a=[source_field("orders", f) for f in fields], _file=[source_field("orders", "a")])
    assert flows(facet) == set()
    known = ingest_facet(facet, schema=schema("a", "_file", "_metadata"))
    assert edges(known.facts("dataset", "db", "mart", "schema")) == {"mart HAS_COLUMN a"}


def test_some_are_columns_if_a_schema_in_the_run_lists_them() -> None:
    facet = lineage(a=[source_field("orders", "_deleted"), source_field("orders", "_partition"), source_field("orders", "_file")])
    inputs = [ds("orders", schema=schema("_deleted", "_file"))]
    assert flows(facet, *inputs) == {"orders._deleted -> mart.a"}


def test_pseudo_columns_do_not_hinder_hoisting() -> None:
    join = source_field("orders", "k", "INDIRECT/JOIN")
    assert flows(lineage(a=[join], _file=[])) == {"orders.k -> mart.* INDIRECT JOIN"}


def test_an_input_that_no_column_comes_from_is_not_covered() -> None:
    """dbt names a CTE where the true input is meant."""
    facet = lineage(a=[source_field("customers", "id")], b=[source_field("paid", "amount")])
    known = ingest_facet(facet, ds("customers"), ds("shop.orders")).output("mart")
    assert columns(known) == {"customers.id -> mart.a", "paid.amount -> mart.b"}
    assert pairs(known) == {"customers -> mart": True, "shop.orders -> mart": False}
    assert "etl READS paid" not in edges(known)


def test_a_column_into_the_whole_dataset_covers_the_pair() -> None:
    assert pairs(ingest_facet(lineage([source_field("orders", "k", "INDIRECT/FILTER")], a=[])).output("mart")) == {"orders -> mart": True}


def symlinked(name: str, link: str, namespace: str = "db") -> Event:
    return ds(name, namespace, symlinks={"identifiers": [{"namespace": "cat", "name": link, "type": "TABLE"}]})


def one(name: str, namespace: str) -> Event:
    return lineage(a=[source_field(name, "id", namespace=namespace)])


def test_a_name_in_a_column_lineage_is_resolved_by_symlink() -> None:
    assert flows(one("lake.orders", "cat"), symlinked("/w/1", "lake.orders"), ds("orders")) == {"/w/1.id -> mart.a"}


def test_then_by_case() -> None:
    assert flows(one("SHOP.Orders", "DB"), ds("shop.orders"), ds("x.orders")) == {"shop.orders.id -> mart.a"}


def test_then_by_the_last_part_of_the_name() -> None:
    assert flows(one("Orders", "db"), ds("shop.orders"), ds("x")) == {"shop.orders.id -> mart.a"}
    assert flows(one("x/orders", "elsewhere"), ds("/w/orders")) == {"/w/orders.id -> mart.a"}


def test_only_if_exactly_one_fits() -> None:
    assert flows(one("orders", "db"), ds("shop.orders"), ds("x.orders")) == {"orders.id -> mart.a"}
    two = [symlinked("/w/1", "t"), symlinked("/w/2", "t"), ds("t")]
    assert flows(one("t", "cat"), *two) == {"t.id -> mart.a"}


def test_a_resolved_input_is_covered() -> None:
    assert pairs(ingest_facet(one("ORDERS", "db")).output("mart")) == {"orders -> mart": True}


def test_an_inferred_dataset_has_no_scope_of_its_own() -> None:
    known = ingest_facet(one("s3a-cte//x/", "s3a://b"))
    assert not [scope for scope in known.heads() if "s3" in "".join(scope)]


# -- the newer facet


def target(name: str, **facets: Any) -> Event:
    return {"namespace": "db", "name": name, "type": "DATASET", **facets}


def feed(name: str, field: str | None = None, **more: Any) -> Event:
    return {"namespace": "db", "name": name, "type": "DATASET", **({"field": field} if field else {}), **more}


BOTH = [ds("a"), ds("b")]


def test_the_lineage_facet_comes_before_column_lineage_and_inputs_x_outputs() -> None:
    explicit = {"inputs": [feed("a")], "fields": {"x": {"inputs": [feed("b", "y")]}}}
    facets = {"lineage": explicit, "columnLineage": lineage(x=[source_field("a", "z")])}
    known = ingest_each(event("COMPLETE", 1, BOTH, [ds("mart", **facets)])).output("mart")
    assert columns(known) == {"b.y -> mart.x"}
    assert pairs(known) == {"a -> mart": False}
    assert edges(known) == {"etl READS a", "etl READS b", "etl WRITES mart"}


def test_an_empty_array_of_inputs_means_that_there_are_none() -> None:
    known = ingest_each(event("COMPLETE", 1, BOTH, [ds("mart", lineage={"inputs": []})])).output("mart")
    assert pairs(known) == {}
    assert edges(known) == {"etl READS a", "etl READS b", "etl WRITES mart"}


def test_neither_inputs_nor_fields_states_nothing() -> None:
    known = ingest_each(event("COMPLETE", 1, BOTH, [ds("mart", lineage={}, columnLineage=lineage(x=[source_field("a", "z")]))])).output(
        "mart"
    )
    assert columns(known) == {"a.z -> mart.x"}


def test_an_input_with_a_field_affects_the_whole_target() -> None:
    by = feed("a", "g", transformations=[{"type": "DIRECT", "subtype": "GROUP_BY"}])
    known = ingest_each(event("COMPLETE", 1, BOTH, [ds("mart", lineage={"inputs": [by]})])).output("mart")
    assert columns(known) == {"a.g -> mart.* INDIRECT GROUP_BY"}


def test_a_field_of_which_only_the_source_dataset_is_known_is_not_covered() -> None:
    fields = {"x": {"inputs": [feed("a", "y")]}, "z": {"inputs": [feed("a")]}}
    known = ingest_each(event("COMPLETE", 1, BOTH, [ds("mart", lineage={"inputs": [feed("a")], "fields": fields})])).output("mart")
    assert columns(known) == {"a.y -> mart.x"}
    assert pairs(known) == {"a -> mart": False}


def test_entries_of_a_job_state_which_input_goes_where() -> None:
    entries = [target("c", inputs=[feed("a")]), target("d", inputs=[feed("b")])]
    known = ingest_each(event("COMPLETE", 1, BOTH, [ds("c"), ds("d"), ds("e")], job_facets={"lineage": {"entries": entries}}))
    assert pairs(known.output("c")) == {"a -> c": False}
    assert pairs(known.output("d")) == {"b -> d": False}
    assert pairs(known.output("e")) == {"a -> e": False, "b -> e": False}


def test_a_target_that_is_no_output_is_written_too() -> None:
    known = ingest_each(event("COMPLETE", 1, job_facets={"lineage": {"entries": [target("c", inputs=[feed("a")])]}}))
    assert edges(known.output("c")) == {"etl READS a", "etl WRITES c"}
    assert pairs(known.output("c")) == {"a -> c": False}


def test_entries_of_jobs_are_read_and_written() -> None:
    other = {"type": "JOB", "namespace": "jobs", "name": "other"}
    entries = [
        {"type": "JOB", "inputs": [feed("a")]},
        {**other, "inputs": [feed("b"), {"type": "JOB", "namespace": "jobs", "name": "third"}]},
        target("c", inputs=[other, {"type": "JOB"}]),
    ]
    known = ingest_each(event("COMPLETE", 1, [], [ds("c")], job_facets={"lineage": {"entries": entries}}))
    assert edges(known.facts("job-reads", "jobs", "etl")) == {"etl READS a", "other READS b"}
    assert edges(known.output("c")) == {"etl WRITES c", "other WRITES c"}


# -- events without a run


def job_event(minute: float, **more: Any) -> Event:
    return {"eventTime": iso(minute), "job": {"namespace": "jobs", "name": "etl", **more.pop("job", {})}, **more}


def test_a_declared_job_is_replaced_as_a_whole() -> None:
    facet = lineage(x=[source_field("a", "z", "DIRECT/IDENTITY")])
    known = ingest_each(job_event(1, inputs=BOTH, outputs=[ds("c", columnLineage=facet), ds("d")]))
    declared = known.facts("job-declared", "jobs", "etl")
    assert edges(declared) == {"etl READS a", "etl READS b", "etl WRITES c", "etl WRITES d"}
    assert columns(declared) == {"a.z -> c.x IDENTITY"}
    assert pairs(declared) == {"a -> c": True, "b -> c": False, "a -> d": False, "b -> d": False}
    known.ingest([job_event(2, inputs=[ds("a")])])
    assert edges(known.facts("job-declared", "jobs", "etl")) == {"etl READS a"}
    known.ingest([job_event(3)])
    assert edges(known.facts("job-declared", "jobs", "etl")) == set()
    assert known.find_heads("job-declared")


def test_declared_and_observed_lineage_stand_side_by_side() -> None:
    known = ingest_each(job_event(1, inputs=[ds("a")], outputs=[ds("c")]), event("COMPLETE", 2, [ds("b")], [ds("c")]))
    assert pairs(known.facts("job-declared", "jobs", "etl")) == {"a -> c": False}
    assert pairs(known.output("c")) == {"b -> c": False}


def test_an_event_type_does_not_make_a_run() -> None:
    assert ingest_each(job_event(1, eventType="COMPLETE", inputs=[ds("a")])).find_heads("job-declared")


def dataset_event(minute: float, dataset: Event) -> Event:
    return {"eventTime": iso(minute), "dataset": dataset}


def test_a_dataset_event_states_what_the_dataset_is_derived_from_without_a_job() -> None:
    known = ingest_each(dataset_event(1, ds("view", columnLineage=lineage(x=[source_field("a", "z")]))))
    derived = known.facts("dataset-lineage", "db", "view")
    assert columns(derived) == {"a.z -> view.x"}
    assert derived.edges == ()
    assert {flow.job for flow in derived.flows} == {None}
    known.ingest([dataset_event(2, ds("view", columnLineage={"_deleted": True}))])
    assert not known.find_heads("dataset-lineage")


def test_a_dataset_event_with_the_newer_facet() -> None:
    known = ingest_each(
        dataset_event(1, ds("view", lineage={"inputs": [feed("a"), feed("b")], "fields": {"x": {"inputs": [feed("a", "y")]}}}))
    )
    derived = known.facts("dataset-lineage", "db", "view")
    assert columns(derived) == {"a.y -> view.x"}
    assert pairs(derived) == {"a -> view": True, "b -> view": False}


def test_a_dataset_event_without_facets_makes_the_dataset_known() -> None:
    assert ingest_each(dataset_event(1, ds("t"))).facts("dataset", "db", "t", "seen").assets
