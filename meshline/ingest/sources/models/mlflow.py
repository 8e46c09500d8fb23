"""MLflow: registered models as consumers of the columns that their versions were trained on, and what trains them as jobs."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from meshline.errors import require_extra
from meshline.ingest.sources.base import Context, Reading, Source
from meshline.ingest.sources.models.mlflow_api import MlflowClient
from meshline.ingest.sources.secrets import expand_keys


class Mlflow(Source):
    """A running MLflow tracking server, with its model registry."""

    kind: ClassVar[str] = "mlflow"
    url: str = Field(min_length=1, max_length=2048, description="The address of MLflow, e.g. http://mlflow:5000.")
    token: str = Field(default="", max_length=16_384, description="A bearer token, if it asks for one; ${NAME} is a variable.")
    user: str = Field(default="", max_length=500, description="Instead of a token, an account; ${NAME} is a variable.")
    password: str = Field(default="", max_length=2000, description="Its password; ${NAME} is a variable.")
    namespace: str = Field(default="", max_length=2000, description="The namespace of tables that runs name without one, or an alias.")
    dialect: str = Field(default="spark", max_length=40, description="The dialect of SQL that datasets are read with.")
    datasets: dict[str, str] = Field(
        default={}, description="By the name that a dataset has in MLflow: which dataset it is, as namespace/name or alias/name."
    )
    days: int = Field(default=180, ge=1, le=3650, description="Runs of how many days are read; those of model versions always are.")
    most_runs: int = Field(default=20_000, ge=1, le=1_000_000, description="At most so many runs, the newest first.")
    owner_tag: str = Field(default="owner", max_length=250, description="The tag of models and experiments that names their owner.")

    def read(self, context: Context) -> Reading:
        """All registered models and the runs that read datasets. Raises InvalidInput, StoreUnavailable, MissingExtra."""
        with require_extra("sql", "reading MLflow"):
            from meshline.ingest.sources.models.logged_datasets import DatasetKeys  # noqa: PLC0415
            from meshline.ingest.sources.models.mlflow_reader import MlflowReader, RunKeys  # noqa: PLC0415

        written = {"url": self.url, "token": self.token, "user": self.user, "password": self.password}
        values, redact = expand_keys(written, context.variables)
        with MlflowClient.connect(values["url"], values["token"], values["user"], values["password"], redact) as client:
            reader = MlflowReader(
                client,
                RunKeys(self.days, self.most_runs, self.owner_tag),
                DatasetKeys(self.namespace, self.dialect, self.datasets),
                context,
            )
            items = list(reader.read_items())
        return Reading(self.source, items, complete=True, warnings=reader.list_warnings())
