"""Namespaces, data sources, datasets, jobs and search as Marquez's clients read them: shapes, pages, errors, hostile names, aliases."""

from __future__ import annotations

import pytest

from meshline.graph.index.lineage_index import AssetFacet
from meshline.graph.model import AssetKey
from tests.api.marquez import schemas
from tests.api.marquez.conftest import CUSTOMERS, JOBS, LAKE, PG, Marquez, build_dataset, build_event, build_facet

HOSTILE = (
    "a/b",
    "a%2Fb",
    "a:b",
    "a#b",
    "a b",
    "a?b=c&d",
    '<img src=x onerror="alert(1)">',
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "\N{GRINNING FACE}",
    "7",
    "datasets",
    "%",
    "%00",
)


def test_namespaces_are_those_of_datasets_and_jobs(known: Marquez) -> None:
    found = known.get(schemas.NAMESPACES, "namespaces")["namespaces"]
    assert [one["name"] for one in found] == [JOBS, PG, LAKE]
    assert {one["ownerName"] for one in found} == {"anonymous"}
    assert (found[0]["createdAt"], found[0]["updatedAt"]) == ("2026-03-08T12:01:00Z", "2026-03-08T12:02:00Z")


def test_an_empty_graph_has_the_namespace_default(nothing: Marquez) -> None:
    """Marquez's page needs a namespace to begin with."""
    assert [one["name"] for one in nothing.get(schemas.NAMESPACES, "namespaces")["namespaces"]] == ["default"]
    assert nothing.get(schemas.NAMESPACE, "namespaces", "default")["name"] == "default"


def test_namespaces_are_paged(known: Marquez) -> None:
    assert [one["name"] for one in known.get(schemas.NAMESPACES, "namespaces", limit=1, offset=1)["namespaces"]] == [PG]
    assert known.get(schemas.NAMESPACES, "namespaces", limit=0)["namespaces"] == []
    assert known.get(schemas.NAMESPACES, "namespaces", offset=99)["namespaces"] == []


def test_a_page_that_is_no_number_is_refused(nothing: Marquez) -> None:
    for name, text in (("limit", "-1"), ("limit", "ten"), ("offset", "1.5"), ("limit", "9" * 20), ("limit", "²")):
        assert name in nothing.get_error(400, "namespaces", **{name: text})


def test_one_namespace(known: Marquez) -> None:
    assert known.get(schemas.NAMESPACE, "namespaces", PG)["name"] == PG
    assert known.get_error(404, "namespaces", "nowhere") == "Namespace 'nowhere' not found."


def test_sources_are_where_datasets_are_stored(known: Marquez) -> None:
    found = known.get(schemas.SOURCES, "sources")["sources"]
    assert [(one["name"], one["type"], one["connectionUrl"]) for one in found] == [(PG, "POSTGRES", PG), (LAKE, "S3", LAKE)]
    assert known.get(schemas.SOURCE, "sources", PG) == found[0]
    assert known.get_error(404, "sources", JOBS) == f"Source '{JOBS}' not found."
    dataset = known.get(schemas.DATASET, "namespaces", PG, "datasets", "shop.customers")
    assert known.get(schemas.SOURCE, "sources", dataset["sourceName"]) == found[0]


def test_a_dataset(known: Marquez) -> None:
    found = known.get(schemas.DATASET, "namespaces", LAKE, "datasets", "orders")
    assert (found["id"], found["name"], found["namespace"]) == ({"namespace": LAKE, "name": "orders"}, "orders", LAKE)
    assert found["description"] == "One row for each order"
    assert [(field["name"], field["type"], field["description"]) for field in found["fields"]] == [
        ("id", "VARCHAR", "the id"),
        ("email", "VARCHAR", "the email"),
        ("total", "VARCHAR", "the total"),
    ]
    assert found["facets"]["documentation"] == build_facet(description="One row for each order")
    assert found["deleted"] is False
    assert (found["createdAt"], found["updatedAt"]) == ("2026-03-08T12:01:00Z", "2026-03-08T12:02:00Z")


def test_a_dataset_has_its_column_lineage_with_filters(known: Marquez) -> None:
    lineage = known.get(schemas.DATASET, "namespaces", LAKE, "datasets", "orders")["columnLineage"]
    inputs = {one["name"]: [(field["field"], field["transformationType"]) for field in one["inputFields"]] for one in lineage}
    assert inputs == {
        "id": [("id", "IDENTITY"), ("total", "INDIRECT")],
        "email": [("email", "IDENTITY"), ("total", "INDIRECT")],
        "total": [("total", "INDIRECT")],
    }
    assert lineage[2]["inputFields"][0]["transformationDescription"] == "FILTER"
    assert known.get(schemas.DATASET, "namespaces", PG, "datasets", "shop.customers")["columnLineage"] is None


def test_datasets_are_those_of_the_namespace_by_name(marquez: Marquez) -> None:
    marquez.send_events(build_event(3, "more", [], [build_dataset(LAKE, f"d{n}") for n in range(4)]))
    found = marquez.get(schemas.DATASETS, "namespaces", LAKE, "datasets")
    assert [one["name"] for one in found["datasets"]] == ["d0", "d1", "d2", "d3", "orders", "report"]
    page = marquez.get(schemas.DATASETS, "namespaces", LAKE, "datasets", limit=2, offset=3)
    assert ([one["name"] for one in page["datasets"]], page["totalCount"]) == (["d3", "orders"], 6)
    assert page["datasets"] == found["datasets"][3:5]
    assert marquez.get(schemas.DATASETS, "namespaces", JOBS, "datasets") == {"datasets": [], "totalCount": 0}
    assert marquez.get_error(404, "namespaces", "nowhere", "datasets") == "Namespace 'nowhere' not found."
    assert marquez.get_error(404, "namespaces", LAKE, "datasets", "none") == "Dataset 'none' not found."


def test_a_dataset_answers_under_each_of_its_names(marquez: Marquez) -> None:
    symlinks = build_facet(identifiers=[{"namespace": "hive://metastore", "name": "shop.orders", "type": "TABLE"}])
    marquez.send_events(build_event(3, "load.orders", [CUSTOMERS], [build_dataset(LAKE, "orders", symlinks=symlinks)]))
    shown = marquez.get(schemas.DATASET, "namespaces", "hive://metastore", "datasets", "shop.orders")
    other = marquez.get(schemas.DATASET, "namespaces", LAKE, "datasets", "orders")
    assert shown["id"] == {"namespace": "hive://metastore", "name": "shop.orders"}
    assert other["id"] == {"namespace": LAKE, "name": "orders"}
    assert {**other, **{name: shown[name] for name in ("id", "name", "namespace")}} == shown
    ids = [node["id"] for node in marquez.get(schemas.GRAPH, "lineage", nodeId=f"dataset:{LAKE}:orders")["graph"]]
    assert f"dataset:{LAKE}:orders" in ids
    assert "dataset:hive://metastore:shop.orders" not in ids


def test_any_name_answers(empty: Marquez) -> None:
    for number, name in enumerate(HOSTILE):
        empty.send_events(build_event(number, name, [build_dataset(name, "input")], [build_dataset("ns", name)], namespace=name))
    namespaces = [one["name"] for one in empty.get(schemas.NAMESPACES, "namespaces")["namespaces"]]
    assert namespaces == sorted((*HOSTILE, "ns"))
    for name in HOSTILE:
        assert empty.get(schemas.NAMESPACE, "namespaces", name)["name"] == name
        assert empty.get(schemas.DATASET, "namespaces", "ns", "datasets", name)["name"] == name
        assert empty.get(schemas.DATASET, "namespaces", name, "datasets", "input")["namespace"] == name
        job = empty.get(schemas.JOB, "namespaces", name, "jobs", name)
        assert job["id"] == {"namespace": name, "name": name}
        for node_id in (f"job:{name}:{name}", f"dataset:ns:{name}", f"dataset:{name}:input"):
            assert node_id in [node["id"] for node in empty.get(schemas.GRAPH, "lineage", nodeId=node_id)["graph"]]
        hits = empty.get(schemas.HITS, "search", q=name, limit=100)["results"]
        assert {f"job:{name}:{name}", f"dataset:ns:{name}"} <= {hit["nodeId"] for hit in hits}


def test_a_job(known: Marquez) -> None:
    found = known.get(schemas.JOB, "namespaces", JOBS, "jobs", "load.orders")
    assert (found["simpleName"], found["parentJobName"]) == ("orders", "load")
    assert found["inputs"] == [{"namespace": PG, "name": "shop.customers"}]
    assert found["outputs"] == [{"namespace": LAKE, "name": "orders"}]
    assert found["location"] == "https://example.org/load.py"
    assert found["facets"]["sql"]["query"] == "INSERT INTO orders SELECT * FROM shop.customers"
    assert known.get_error(404, "namespaces", JOBS, "jobs", "none") == "Job 'none' not found."


def test_jobs_are_listed_the_last_observed_first(known: Marquez) -> None:
    found = known.get(schemas.JOBS, "jobs")
    assert [one["name"] for one in found["jobs"]] == ["report", "load", "load.orders"]
    assert known.get(schemas.JOBS, "namespaces", JOBS, "jobs") == found
    page = known.get(schemas.JOBS, "jobs", limit=1, offset=1)
    assert ([one["name"] for one in page["jobs"]], page["totalCount"]) == (["load"], 3)
    assert known.get(schemas.JOBS, "namespaces", PG, "jobs") == {"jobs": [], "totalCount": 0}
    assert known.get_error(404, "namespaces", "nowhere", "jobs") == "Namespace 'nowhere' not found."


def test_a_job_without_runs_has_null_for_its_runs(empty: Marquez) -> None:
    """Marquez's dashboard fails on an empty list of runs."""
    event = build_event(1, "declared")
    empty.send_events({name: value for name, value in event.items() if name not in ("run", "eventType")})
    job = empty.get(schemas.JOB, "namespaces", JOBS, "jobs", "declared")
    assert (job["latestRun"], job["latestRuns"], job["tags"], job["labels"]) == (None, None, [], [])


def test_a_dataset_whose_columns_no_source_lists_has_an_empty_list(empty: Marquez) -> None:
    """Marquez's page reads the length of the list."""
    empty.send_events(build_event(1, "job", [], [{"namespace": "ns", "name": "bare"}]))
    assert empty.get(schemas.DATASET, "namespaces", "ns", "datasets", "bare")["fields"] == []


def test_tags_are_listed_and_shown_where_they_are(marquez: Marquez) -> None:
    tags = build_facet(
        tags=[{"key": "gold", "value": "true", "source": "X"}, {"key": "class", "value": "pii", "source": "X", "field": "email"}]
    )
    marquez.send_events(build_event(3, "load.orders", [CUSTOMERS], [build_dataset(LAKE, "orders", tags=tags)]))
    assert marquez.get(schemas.TAGS, "tags") == {"tags": [{"name": name, "description": None} for name in ("class=pii", "gold")]}
    assert [tag["name"] for tag in marquez.get(schemas.TAGS, "tags", limit=1, offset=1)["tags"]] == ["gold"]
    dataset = marquez.get(schemas.DATASET, "namespaces", LAKE, "datasets", "orders")
    assert dataset["tags"] == ["gold"]
    assert [field["tags"] for field in dataset["fields"]] == [[], ["class=pii"], []]


def test_search_finds_any_part_of_a_name_in_any_case(known: Marquez) -> None:
    found = known.get(schemas.HITS, "search", q="RDER")
    assert [hit["nodeId"] for hit in found["results"]] == [f"dataset:{LAKE}:orders", f"job:{JOBS}:load.orders"]
    assert found["totalCount"] == 2
    assert known.get(schemas.HITS, "search", q="RDER", limit=1)["totalCount"] == 2
    assert [hit["type"] for hit in known.get(schemas.HITS, "search", q="o", filter="JOB")["results"]] == ["JOB"] * 3
    assert [hit["namespace"] for hit in known.get(schemas.HITS, "search", q="o", namespace=PG)["results"]] == [PG]


def test_a_search_builds_only_the_names_of_its_page(known: Marquez, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter is in most names of a large mesh."""
    first = known.get(schemas.HITS, "search", q="o", limit=1)
    built: list[int] = []
    get_key = AssetFacet.get_key

    def count(facet: AssetFacet, node: int) -> AssetKey:
        built.append(node)
        return get_key(facet, node)

    monkeypatch.setattr(AssetFacet, "get_key", count)
    assert known.get(schemas.HITS, "search", q="o", limit=1) == first
    assert (first["totalCount"], len(built)) == (6, 1)


def test_search_ranks_exact_names_first_and_can_sort_by_time(known: Marquez) -> None:
    assert [hit["name"] for hit in known.get(schemas.HITS, "search", q="load")["results"]] == ["load", "load.orders"]
    names = [hit["nodeId"] for hit in known.get(schemas.HITS, "search", q="o", sort="UPDATE_AT")["results"]]
    assert names[-1] == f"job:{JOBS}:load.orders"


def test_search_has_no_wildcards(known: Marquez) -> None:
    assert [known.get(schemas.HITS, "search", q=text)["results"] for text in ("%", "_", "o%s")] == [[], [], []]


def test_search_can_be_limited_to_days(known: Marquez) -> None:
    counts = [
        known.get(schemas.HITS, "search", q="o", **{side: day})["totalCount"]
        for side in ("after", "before")
        for day in ("2026-03-08", "2026-03-09")
    ]
    assert counts == [6, 0, 0, 6]


def test_a_search_that_makes_no_sense_is_refused(nothing: Marquez) -> None:
    for query in ({"q": " "}, {}, {"q": "o", "sort": "AGE"}, {"q": "o", "filter": "RUN"}, {"q": "o", "before": "tomorrow"}):
        nothing.get_error(400, "search", **query)


def test_answers_can_be_as_of_a_time(known: Marquez) -> None:
    before = known.get(schemas.JOBS, "jobs", asOf="2026-03-08T12:01:30Z")
    assert [one["name"] for one in before["jobs"]] == ["load", "load.orders"]
    assert known.get_error(404, "namespaces", LAKE, "datasets", "report", asOf="2026-03-08T12:01:30Z") == "Dataset 'report' not found."
    assert "asOf" in known.get_error(400, "jobs", asOf="yesterday")


def test_a_dataset_has_the_last_result_of_each_check_for_the_quality_badge(empty: Marquez) -> None:
    """The badge of Marquez's page is red if one has not succeeded, and there is none without results."""

    def build_checks(**outcomes: bool) -> dict[str, object]:
        found = [{"assertion": name, "column": "id", "success": success} for name, success in outcomes.items()]
        return build_facet(assertions=[*found, {"assertion": "row_count", "success": True}])

    def read_assertions(*segments: str) -> dict[tuple[str | None, str], bool]:
        answer = empty.get(schemas.DATASET, "namespaces", LAKE, "datasets", *segments)
        listed = {one["name"]: one for one in empty.get(schemas.DATASETS, "namespaces", LAKE, "datasets")["datasets"]}
        assert listed[answer["name"]]["facets"] == answer["facets"]
        checks = answer["facets"].get("dataQualityAssertions", {}).get("assertions", [])
        return {(one.get("column"), one["assertion"]): one["success"] for one in checks}

    table = build_dataset(LAKE, "checked")
    empty.send_events(
        build_event(1, "load", [], [table, build_dataset(LAKE, "other")]),
        build_event(2, "check", [{**table, "inputFacets": {"dataQualityAssertions": build_checks(unique=True, not_null=True)}}]),
    )
    assert read_assertions("checked") == {(None, "row_count"): True, ("id", "unique(id)"): True, ("id", "not_null(id)"): True}
    assert read_assertions("other") == {}
    empty.send_events(
        build_event(3, "check", [{**table, "inputFacets": {"dataQualityAssertions": build_checks(unique=False, not_null=True)}}])
    )
    assert read_assertions("checked") == {(None, "row_count"): True, ("id", "unique(id)"): False, ("id", "not_null(id)"): True}
