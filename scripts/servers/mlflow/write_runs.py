"""Log runs with datasets, and register models, by MLflow's own library: `python write_runs.py http://127.0.0.1:PORT`.

Runs in the environment of requirements.txt. What each run is for is what tests/ingest/sources/test_mlflow.py expects of it.
"""

from __future__ import annotations

import os
import sys

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}

import mlflow
import pandas as pd
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.spark_dataset_source import SparkDatasetSource
from mlflow.tracking import MlflowClient

ORDERS = pd.DataFrame({"order_id": [1, 2], "amount": [9.5, 20.0], "customer_id": [7, 8]})
CUSTOMERS = pd.DataFrame({"customer_id": [7, 8], "email": ["a@x.org", "b@x.org"], "country": ["DE", "FR"]})
FEATURES = pd.DataFrame({"customer_id": [7, 8], "amount_7d": [1.0, 2.0]})
GIT = {"mlflow.source.git.commit": "5c1e9d0f", "mlflow.source.git.branch": "main"}  # else that of the checkout that this file is in


class Constant(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    def predict(self, model_input: pd.DataFrame) -> list[float]:
        return [0.5] * len(model_input)


def log_run(
    name: str, datasets: list[tuple[object, str]], user: str, *, code: str = "train.py", register: str = "", parent: str = ""
) -> str:
    """A run that reads datasets (with their contexts), and perhaps registers a model. Its id."""
    tags = {"mlflow.user": user, "mlflow.source.name": f"/home/{user}/fraud/{code}"} | GIT
    if parent:
        tags["mlflow.parentRunId"] = parent
    with mlflow.start_run(run_name=name, tags=tags) as run:
        for dataset, context in datasets:
            mlflow.log_input(dataset, context=context or None)
        mlflow.log_metric("auc", 0.9)
        if register:
            mlflow.pyfunc.log_model(name="model", python_model=Constant(), registered_model_name=register, pip_requirements=[])
        return str(run.info.run_id)


def main() -> None:
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    fraud = client.create_experiment("fraud", tags={"owner": "team:fraud-science", "mlflow.note.content": "Is an order fraud?"})
    mlflow.set_experiment(experiment_id=fraud)
    parquet = mlflow.data.from_pandas(ORDERS, source="s3://lake/silver/orders.parquet", name="orders")
    table = mlflow.data.from_pandas(
        CUSTOMERS, source=DeltaDatasetSource(delta_table_name="lake.silver.customers", delta_table_version=3), name="customers"
    )
    query = mlflow.data.from_pandas(
        FEATURES,
        source=SparkDatasetSource(
            sql="SELECT customer_id, sum(amount) AS amount_7d FROM lake.silver.orders WHERE status = 'PAID' GROUP BY 1"
        ),
        name="features",
    )
    page = mlflow.data.from_pandas(CUSTOMERS, source=HTTPDatasetSource(url="https://data.example.com/countries.csv"), name="countries")
    coded = mlflow.data.from_pandas(FEATURES, name="marts.customer_features")
    unknown = mlflow.data.from_pandas(FEATURES, name="sample")
    log_run("first", [(parquet, "training")], "ada", register="fraud")
    log_run("second", [(parquet, "training"), (table, "validation")], "ada", register="fraud")
    log_run("third", [(query, "training"), (unknown, "")], "bob", register="fraud")
    log_run("look", [(page, ""), (coded, "")], "bob", code="explore.ipynb")
    with mlflow.start_run(run_name="broken", tags={"mlflow.source.name": "broken.py"} | GIT) as broken:
        mlflow.log_input(table, context="training")
    client.set_terminated(broken.info.run_id, status="FAILED")
    above = log_run("search", [(table, "training")], "ada", code="search.py")
    log_run("search/1", [], "ada", code="search.py", register="churn Überblick", parent=above)
    client.create_registered_model("empty", tags={"owner": "carol@company.com"}, description="No version yet")
    client.set_registered_model_alias("fraud", "champion", "2")
    client.set_registered_model_alias("fraud", "challenger", "3")
    client.set_registered_model_tag("fraud", "owner", "fraud-lead@company.com, team:fraud-science")
    client.set_registered_model_tag("fraud", "tier", "gold")
    client.update_registered_model("fraud", description="Scores orders")


if __name__ == "__main__":
    main()
