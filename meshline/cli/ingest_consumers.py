"""`meshline ingest KIND` for tools that read exported answers of BI tools, for models and for features."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.ingest import SourceName
from meshline.cli.ingest_databases import DatabaseNames, parse_databases
from meshline.cli.sync import make_source_command


@make_source_command("mlflow")
def mlflow(
    url: Annotated[str, typer.Argument(help="The address of MLflow, e.g. http://mlflow:5000.", metavar="URL", show_default=False)],
    *,
    name: SourceName = "default",
    token: Annotated[str, typer.Option(help="A bearer token, as '${NAME}', an environment variable.", metavar="TOKEN")] = "",
    user: Annotated[str, typer.Option(help="Instead of a token, an account.", metavar="NAME")] = "",
    password: Annotated[str, typer.Option(help="Its password, as '${NAME}'.", metavar="PASSWORD")] = "",
    namespace: Annotated[str, typer.Option(help="The namespace of tables that runs name without one.", metavar="NAMESPACE")] = "",
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="Which dataset one of MLflow is, by its name; may be repeated.", show_default=False, metavar="NAME=DATASET"),
    ] = None,
    days: Annotated[int, typer.Option(help="Runs of how many days are read; those of model versions always are.", min=1, max=3650)] = 180,
) -> dict[str, object]:
    """Read the models of an MLflow, and the runs that read datasets."""
    from meshline.errors import InvalidInput

    datasets = dict(one.partition("=")[::2] for one in dataset or ())
    if not all(datasets.values()):
        raise InvalidInput("accepted is NAME=DATASET, such as orders=lake/silver.orders", "--dataset")
    return {
        "name": name,
        "url": url,
        "token": token,
        "user": user,
        "password": password,
        "namespace": namespace,
        "datasets": datasets,
        "days": days,
    }


@make_source_command("feast")
def feast(
    file: Annotated[list[str], typer.Argument(help="What `feast registry-dump` prints (JSON), and patterns.", metavar="FILE...")],
    *,
    name: SourceName = "default",
    database: DatabaseNames = None,
) -> dict[str, object]:
    """Load the feature views and feature services of Feast."""
    return {"name": name, "files": file, "databases": parse_databases(database)}


@make_source_command("powerbi")
def powerbi(
    file: Annotated[list[str], typer.Argument(help="Answers of Power BI's Scanner API (JSON), and patterns.", metavar="FILE...")],
    *,
    name: SourceName = "default",
    database: DatabaseNames = None,
) -> dict[str, object]:
    """Load the semantic models, reports and dashboards of Power BI from scans."""
    return {"name": name, "files": file, "databases": parse_databases(database)}


@make_source_command("looker")
def looker(
    file: Annotated[
        list[str] | None,
        typer.Argument(help="Exported answers of Looker's API (JSON), and patterns.", metavar="FILE...", show_default=False),
    ] = None,
    *,
    name: SourceName = "default",
    url: Annotated[
        str, typer.Option(help="Instead of files, the address of the API, e.g. https://company.looker.com:19999.", metavar="URL")
    ] = "",
    client_id: Annotated[str, typer.Option(help="The id of an API key.", metavar="ID")] = "",
    client_secret: Annotated[str, typer.Option(help="Its secret, as '${NAME}', an environment variable.", metavar="SECRET")] = "",
    database: DatabaseNames = None,
) -> dict[str, object]:
    """Read the dashboards and looks of a Looker, or load exported answers of its API."""
    return {
        "name": name,
        "files": file or (),
        "url": url,
        "client_id": client_id,
        "client_secret": client_secret,
        "databases": parse_databases(database),
    }


@make_source_command("evidence")
def evidence(
    path: Annotated[str, typer.Argument(help="The folder of the project, with pages and sources.", metavar="FOLDER", show_default=False)],
    *,
    name: SourceName = "default",
    project: Annotated[str, typer.Option(help="The name of the project; that of its folder if absent.", metavar="NAME")] = "",
    url: Annotated[str, typer.Option(help="Where its pages are published, for links.", metavar="URL")] = "",
    owner: Annotated[str, typer.Option(help="The owner of pages that name none.", metavar="OWNER")] = "",
    database: DatabaseNames = None,
) -> dict[str, object]:
    """Load the pages of a project of Evidence, with the columns that their SQL reads."""
    return {"name": name, "path": path, "project": project, "url": url, "owner": owner, "databases": parse_databases(database)}
