"""MLflow: a change of a column names the models that were trained on it. The answers are those of a real one: scripts/record-mlflow."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from meshline.graph import model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_consumer_key, build_dataset_key, build_job_key
from meshline.graph.naming import Naming
from meshline.ingest.sources import http_reader
from meshline.ingest.sources.base import Context, KnownColumn
from meshline.ingest.sources.dashboards.reports import Use, Warnings
from meshline.ingest.sources.models import mlflow_api
from meshline.ingest.sources.models.logged_datasets import DatasetKeys, DatasetLocator
from meshline.ingest.sources.models.mlflow_api import Dataset
from meshline.ingest.sources.sync import SyncOutcome
from tests.api.conftest import AskGraph
from tests.ingest.sources.answer_server import Request, serve_answers
from tests.ingest.sources.consumer_loading import find_reached, list_warnings, read_facts, sync_keys
from tests.ingest.sources.fake_source import open_graph
from tests.servers import run_server_script
from tests.sizes import ALL

ROOT = Path(__file__).resolve().parents[3]
ANSWERS: dict[str, str] = json.loads(gzip.decompress((Path(__file__).parent / "mlflow_answers.json.gz").read_bytes()))
RUNS = "POST /api/2.0/mlflow/runs/search"
MODELS = "GET /api/2.0/mlflow/registered-models/search?max_results=100"
ORDERS = ("s3://lake", "silver/orders.parquet")

Change = Callable[[str], "tuple[int, str] | None"]  # by method and address, another answer than the recorded one


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reader, "WAITS", (0.0,))


def serve(change: Change = lambda _: None) -> AbstractContextManager[str]:
    """The recorded MLflow, changed by a test."""

    def answer(request: Request) -> tuple[int, bytes]:
        address = f"{request.method} {request.address}"
        changed = change(address)
        status, body = changed or ((200, ANSWERS[address]) if address in ANSWERS else (404, '{"message": "no such run"}'))
        return status, body.encode()

    return serve_answers(answer)


def sync(live: LiveGraph, url: str, **keys: object) -> SyncOutcome:
    return sync_keys(live, "mlflow", ROOT, {"TOKEN": "t0ken"}, url=url, **({"namespace": "lake", "token": "${TOKEN}"} | keys))


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[LiveGraph, list[str], str]]:
    with open_graph() as live, serve() as url:
        yield live, list_warnings(sync(live, url)), url


def check_example(live: LiveGraph) -> None:
    """What the models of scripts/servers/mlflow/write_runs.py were trained on."""
    assert find_reached(live, *ORDERS, "amount") == {"fraud": "DIRECT"}
    assert find_reached(live, "lake", "lake.silver.customers", "email") == {"fraud": "DIRECT", "churn Überblick": "DIRECT"}
    assert find_reached(live, "lake", "lake.silver.orders", "amount") == {"fraud": "DIRECT"}, "by SQL"
    assert find_reached(live, "lake", "lake.silver.orders", "status") == {"fraud": "DIRECT"}, "its condition"


def test_a_column_reaches_the_models_that_were_trained_on_it(loaded: tuple[LiveGraph, list[str], str]) -> None:
    live, warnings, _ = loaded
    check_example(live)
    assert [warning.partition(" (")[0] for warning in warnings] == ["dataset 'marts.customer_features'", "dataset 'sample'"]


def test_what_is_known_of_a_model(loaded: tuple[LiveGraph, list[str], str]) -> None:
    live, _, url = loaded
    facts, owners = read_facts(live, build_consumer_key("fraud").id)
    assert sorted(owners) == ["fraud-lead@company.com", "team:fraud-science"]
    assert (facts["aliases"], facts["versions"], facts["latest_version"]) == (["challenger=3", "champion=2"], 3, "3")
    assert (facts["consumer_type"], facts["description"], facts["url"]) == ("model", "Scores orders", f"{url}/#/models/fraud")
    assert "tier=gold" in facts["tags"]
    assert read_facts(live, build_consumer_key("empty").id)[1] == ["carol@company.com"]
    assert read_facts(live, build_consumer_key("churn Überblick").id)[1] == ["ada"], "the user of the run of its version"
    query = "query($id: ID!) { node(id: $id) { ... on Consumer { consumes { purpose asset { name } } } } }"
    found: Any = AskGraph(live)(query, id=build_consumer_key("fraud").id)["node"]["consumes"]
    purposes = {one["asset"]["name"]: one["purpose"] for one in found}
    assert purposes["email"] == "validation of version 2 (champion)"
    assert purposes["status"] == "training of version 3 (challenger)"


def test_the_code_of_runs_is_a_job_that_reads(loaded: tuple[LiveGraph, list[str], str]) -> None:
    live, _, url = loaded
    jobs = {live.index.assets.get_key(node).name for node in live.index.assets.list_of_kind(model.AssetKind.JOB)}
    assert jobs == {"fraud/train.py", "fraud/explore.ipynb", "fraud/search.py"}, "a run that failed reads nothing"
    facts, owners = read_facts(live, build_job_key(url.replace("http://", "mlflow://"), "fraud/train.py").id)
    assert (facts["runs"], facts["integration"], facts["git_commit"]) == (3, "MLFLOW", "5c1e9d0f")
    assert owners == ["team:fraud-science"]
    assert "fraud/train.py" in find_reached(live, *ORDERS, "amount", "JOB")
    assert set(find_reached(live, "https://data.example.com", "countries.csv", "", "JOB")) == {"fraud/explore.ipynb"}


def test_again_nothing_is_written_and_what_is_deleted_is_retracted() -> None:
    listed = json.loads(ANSWERS[MODELS])
    listed["registered_models"] = [one for one in listed["registered_models"] if one["name"] != "empty"]
    changes: list[str] = []
    with open_graph() as live, serve(lambda one: (200, json.dumps(listed)) if changes and one == MODELS else None) as url:
        sync(live, url)
        again = sync(live, url).loading
        assert again is not None
        assert (again.new, again.changed, again.retracted) == (0, 0, 0)
        changes.append("models")
        done = sync(live, url).loading
        assert done is not None
        assert (done.changed, done.retracted) == (0, 1)


def test_without_a_namespace_a_table_is_the_known_one_of_its_name_and_names_are_stated() -> None:
    with open_graph() as live, serve() as url:
        warnings = list_warnings(sync(live, url, namespace="", datasets={"sample": "lake/silver.sample", "customers": "lake/c"}))
        assert any("the namespace of lake.silver.orders is not known" in warning for warning in warnings)
        assert find_reached(live, "lake", "silver.sample", "amount_7d") == {"fraud": "DIRECT"}
        assert find_reached(live, "lake", "c", "email") == {"fraud": "DIRECT", "churn Überblick": "DIRECT"}
        assert "accepted is namespace/name" in str(sync(live, url, datasets={"sample": "nowhere"}).error)


def test_pages_are_read_and_a_circle_of_pages_ends() -> None:
    first = json.loads(ANSWERS[MODELS])
    rest = {"registered_models": first["registered_models"][1:]}
    first["registered_models"] = first["registered_models"][:1]

    def turn(address: str) -> tuple[int, str] | None:
        if address == f"{MODELS}&page_token=n%2F2":
            return 200, json.dumps(rest | ({"next_page_token": "n/2"} if circle else {}))
        return (200, json.dumps(first | {"next_page_token": "n/2"})) if address == MODELS else None

    circle: list[int] = []
    with open_graph() as live, serve(turn) as url:
        assert sync(live, url).error is None
        assert live.index.assets.find_by_key(build_consumer_key("fraud")) is not None
        circle.append(1)
        assert "a page leads to a page before it" in str(sync(live, url).error)


@pytest.mark.parametrize(
    ("status", "body", "part"),
    [
        (401, '{"message": "no"}', "set the key token"),
        (403, "", "refuses access"),
        (404, "<html>", "HTTP status 404"),
        (500, '{"error_code": "INTERNAL_ERROR", "message": "secret t0ken leaked"}', "HTTP status 500: secret *** leaked"),
        (503, "", "does not answer"),
        (200, "<html>", "does not answer like MLflow"),
        (200, '{"registered_models": 5}', "does not answer like MLflow"),
        (200, '{"registered_models": [{}]}', "does not answer like MLflow"),
        (200, "[" * 100_000, "does not answer like MLflow"),
    ],
)
def test_what_is_no_mlflow_changes_nothing(loaded: tuple[LiveGraph, list[str], str], status: int, body: str, part: str) -> None:
    live, _, _ = loaded
    revision = live.revision
    with serve(lambda address: (status, body) if address == MODELS else None) as url:
        done = sync(live, url)
    assert part in str(done.error)
    assert "t0ken" not in str(done.error)
    assert live.revision == revision


def locate(dataset: Mapping[str, Any], known: Mapping[str, list[str]] | None = None, **keys: Any) -> tuple[set[Use], list[str]]:
    """What a run that logged this has read, and the warnings."""
    described = {build_dataset_key(*name.split("|")): columns for name, columns in (known or {}).items()}
    context = Context(
        Naming(),
        ROOT,
        columns_of=lambda key: [KnownColumn(name, "") for name in described.get(key, [])],
        datasets_ending_with=lambda text: [key for key in described if key.qualified_name.endswith(text)],
    )
    warnings = Warnings()
    found = DatasetLocator(DatasetKeys(**keys), context, warnings).list_uses(Dataset(**dataset))
    return set(found), warnings.list_first()


def make_dataset(source: Mapping[str, object] | str, *columns: str, type_: str = "s3", name: str = "dataset") -> dict[str, str]:
    schema = json.dumps({"mlflow_colspec": [{"name": column, "type": "long", "required": True} for column in columns]})
    return {"name": name, "source_type": type_, "source": source if isinstance(source, str) else json.dumps(source), "schema": schema}


@pytest.mark.parametrize(
    ("source", "namespace", "name"),
    [
        ({"uri": "s3://lake/a/b.parquet"}, "s3://lake", "a/b.parquet"),
        ({"uri": "gs://lake/a/b"}, "gs://lake", "a/b"),
        ({"uri": "/data/a b.csv"}, "file", "/data/a b.csv"),
        ({"uri": "data/a.csv"}, "file", "data/a.csv"),
        ({"uri": "C:\\data\\a.csv"}, "file", "C:/data/a.csv"),
        ({"uri": "file:///data/a.csv"}, "file", "/data/a.csv"),
        ({"url": "https://u:p@host/x.csv?key=1"}, "https://host", "x.csv"),
        ({"path": "dbfs:/tables/a"}, "dbfs", "/tables/a"),
        ({"path": "s3a://lake/delta/t", "delta_table_name": None}, "s3://lake", "delta/t"),
        ({"delta_table_name": "`main`.sales.orders", "path": None}, "lake", "main.sales.orders"),
        ({"table_name": "sales.orders"}, "lake", "sales.orders"),
    ],
)
def test_where_a_dataset_is(source: Mapping[str, object], namespace: str, name: str) -> None:
    found, warnings = locate(make_dataset(source, "a"), namespace="lake")
    assert found == {Use(build_dataset_key(namespace, name), "a")}
    assert warnings == []


def test_columns_that_the_dataset_does_not_have_were_computed() -> None:
    key = build_dataset_key("s3://lake", "a")
    found, _ = locate(make_dataset({"uri": "s3://lake/a"}, "Amount", "amount_7d"), {"s3://lake|a": ["amount", "id"]})
    assert found == {Use(key, "amount"), Use(key)}
    assert locate(make_dataset({"uri": "s3://lake/a"}))[0] == {Use(key)}, "without a schema the whole"


@pytest.mark.parametrize(
    ("dataset", "known"),
    [
        (make_dataset({"tags": {"mlflow.user": "ada"}}, "a", type_="code"), {}),
        (make_dataset("no json", "a"), {}),
        (make_dataset("[" * 100_000, "a"), {}),
        (make_dataset({"uri": 5}, "a"), {}),
        (make_dataset({"table_name": "t.x"}, "a"), {"one|t.x": ["a"], "two|t.x": ["a"]}),
        (make_dataset({"sql": "SELEC FROM ("}, "a"), {}),
        ({"name": "x"}, {}),
    ],
)
def test_a_dataset_that_cannot_be_located_is_a_warning(dataset: Mapping[str, Any], known: Mapping[str, list[str]]) -> None:
    found, warnings = locate(dataset, known)
    assert found == set()
    assert warnings


def test_a_name_that_one_known_dataset_has_is_that_dataset() -> None:
    found, _ = locate(make_dataset({"tags": {}}, "a", type_="code", name="marts.x"), {"pg|shop.marts.x": ["a"]})
    assert found == {Use(build_dataset_key("pg", "shop.marts.x"), "a")}


def test_at_most_so_many_runs_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_api, "RUNS_AT_ONCE", 2)
    with open_graph() as live, serve() as url:
        warnings = list_warnings(sync(live, url, most_runs=1))
        assert warnings[0].startswith("only the newest 1 runs are read")


@pytest.mark.skipif(not ALL, reason="takes minutes: scripts/test --all")
def test_a_real_mlflow(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "scripts" / "servers"))
    server = import_module("mlflow_server")
    with run_server_script("mlflow_server", tmp_path) as url:
        server.write_runs(url)
        with open_graph() as live:
            assert sync(live, url, token="").error is None
            check_example(live)
