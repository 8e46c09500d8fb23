"""The application of the command line with all its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli import check as check_commands
from meshline.cli import denial as denials
from meshline.cli import identity as identities
from meshline.cli import ingest as ingest_commands
from meshline.cli import ingest_consumers, ingest_databases, ingest_metastores, ingest_openlineage, naming_rules
from meshline.cli import manual_statement as statements
from meshline.cli import request_access as requests
from meshline.cli import store as stores
from meshline.cli import token as tokens
from meshline.cli.asset_view import schemas, show
from meshline.cli.audit import audit
from meshline.cli.comment import comment
from meshline.cli.consumers import consumers
from meshline.cli.coverage import coverage, list_assets
from meshline.cli.demo import demo
from meshline.cli.diff import diff
from meshline.cli.doctor import doctor
from meshline.cli.export import export
from meshline.cli.impact import impact, provenance
from meshline.cli.init import init
from meshline.cli.lineage import lineage
from meshline.cli.login import login, logout
from meshline.cli.mcp import mcp
from meshline.cli.notify import notify
from meshline.cli.owners import owners
from meshline.cli.paths import evidence, paths
from meshline.cli.policies import policies
from meshline.cli.products import products
from meshline.cli.quality import quality
from meshline.cli.rules import rules
from meshline.cli.run_history import events, runs
from meshline.cli.search import search
from meshline.cli.serve import serve
from meshline.cli.store import replay
from meshline.cli.sync import sources, sync

app = typer.Typer(
    name="meshline",
    help="What a change breaks, and who owns it: a lineage graph for data meshes.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    # click never writes help wider than this; up to here it is as wide as the terminal (or COLUMNS), and 80 where there is none
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 1_000},
)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer's callback
    if asked:
        from meshline import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _meshline(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)] = False,  # noqa: FBT002
) -> None: ...


ingest = typer.Typer(help="Ingest metadata into the graph.", no_args_is_help=True)
ingest.command()(ingest_openlineage.openlineage)
ingest.command()(ingest_commands.mesh)
ingest.command()(ingest_commands.contract)
ingest.command()(ingest_commands.product)
ingest.command()(ingest_commands.iceberg)
ingest.command()(ingest_commands.delta)
ingest.command()(ingest_metastores.hive)
ingest.command()(ingest_metastores.glue)
ingest.command()(ingest_metastores.unity)
ingest.command()(ingest_metastores.gravitino)
ingest.command()(ingest_metastores.datahub)
ingest.command()(ingest_metastores.openmetadata)
ingest.command()(ingest_commands.debezium)
ingest.command()(ingest_commands.dbt)
ingest.command()(ingest_commands.gx)
ingest.command()(ingest_commands.soda)
ingest.command()(ingest_commands.sql)
ingest.command()(ingest_databases.postgres)
ingest.command()(ingest_databases.duckdb)
ingest.command()(ingest_databases.snowflake)
ingest.command()(ingest_databases.bigquery)
ingest.command()(ingest_databases.redshift)
ingest.command()(ingest_commands.usage)
ingest.command()(ingest_databases.ranger)
ingest.command()(ingest_commands.marquez)
ingest.command()(ingest_commands.registry)
ingest.command()(ingest_databases.superset)
ingest.command()(ingest_databases.metabase)
ingest.command()(ingest_databases.tableau)
ingest.command()(ingest_consumers.powerbi)
ingest.command()(ingest_consumers.looker)
ingest.command()(ingest_consumers.evidence)
ingest.command()(ingest_consumers.mlflow)
ingest.command()(ingest_consumers.feast)

check = typer.Typer(invoke_without_command=True)
check.callback()(check_commands.check)
check.command()(check_commands.contract)
check.command()(check_commands.product)
check.command()(check_commands.dbt)
check.command()(check_commands.schema)
check.command()(check_commands.ddl)
check.command()(check_commands.change)

store = typer.Typer(help="Check, compact and back up a store.", no_args_is_help=True)
store.command()(stores.check)
store.command()(stores.compact)
store.command()(stores.backup)

identity = typer.Typer(help="Explain and correct which names are the same dataset.", no_args_is_help=True)
identity.command()(identities.explain)
identity.command()(identities.conflicts)
identity.command()(naming_rules.proposals)
identity.command()(naming_rules.accept)
identity.command("rules")(naming_rules.list_rules)
identity.command()(naming_rules.drop_rule)
identity.command()(identities.part)
identity.command()(identities.retract)

stated = typer.Typer(help="State an owner, tag, description, consumer or identity.", no_args_is_help=True)
stated.command()(statements.owner)
stated.command()(statements.tag)
stated.command()(statements.description)
stated.command()(statements.consumer)
stated.command("same-as")(statements.same_as)
stated.command("not-same-as")(statements.not_same_as)

unset = typer.Typer(help="Retract what a person stated with `meshline set`.", no_args_is_help=True)
unset.command("owner")(statements.unset_owner)
unset.command("tag")(statements.unset_tag)
unset.command("description")(statements.unset_description)
unset.command("consumer")(statements.unset_consumer)
unset.command("same-as")(statements.unset_same_as)
unset.command("not-same-as")(statements.unset_not_same_as)

access = typer.Typer(help="Ask for access, and decide about requests of others.", no_args_is_help=True)
access.command()(requests.ask)
access.command("list")(requests.list_requests)
access.command()(requests.decide)
access.command()(requests.withdraw)

denial = typer.Typer(help="Refuse callers, sessions and tokens of an identity provider.", no_args_is_help=True)
denial.command()(denials.add)
denial.command()(denials.remove)
denial.command("list")(denials.list_denials)

token = typer.Typer(help="Make and list tokens for a server.", no_args_is_help=True)
token.command()(tokens.new)
token.command("list")(tokens.list_tokens)

app.command()(serve)
app.command()(mcp)
app.command()(demo)
app.command()(doctor)
app.add_typer(ingest, name="ingest")
app.command()(init)
app.command()(sync)
app.command()(sources)
app.command()(search)
app.command("list")(list_assets)
app.command()(show)
app.command()(lineage)
app.command()(impact)
app.command()(provenance)
app.command()(paths)
app.command()(evidence)
app.command()(diff)
app.command()(owners)
app.command()(consumers)
app.command()(products)
app.command()(coverage)
app.command()(quality)
app.command()(schemas)
app.command()(runs)
app.command()(events)
app.add_typer(stated, name="set")
app.add_typer(unset, name="unset")
app.command()(identities.retract)
app.add_typer(check, name="check")
app.command()(comment)
app.command()(rules)
app.command()(policies)
app.command()(export)
app.command()(replay)
app.command()(notify)
app.command()(audit)
app.command()(login)
app.command()(logout)
app.add_typer(access, name="access")
app.add_typer(denial, name="denial")
app.add_typer(identity, name="identity")
app.add_typer(store, name="store")
app.add_typer(token, name="token")
