"""`meshline check` and its commands: each reads its own inputs and shares the options of all checks."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from meshline.cli.check_options import (
    Also,
    CheckInputs,
    CheckOptions,
    FailOn,
    FailOnName,
    Mode,
    ModeName,
    NoGraph,
    Output,
    Policies,
    Profile,
    Reported,
    Since,
    Waivers,
)
from meshline.cli.exit_codes import exit_by_decision
from meshline.cli.options import Server, Store
from meshline.errors import InvalidInput
from meshline.governance.report_formats import Format


def _build_options(
    *,
    mode: Mode = ModeName.STRICT,
    profile: Profile = None,
    fail_on: FailOn = FailOnName.BREAKING,
    format: Reported = Format.TEXT,  # noqa: A002 - the option's name
    output: Output = None,
    also: Also = None,
    waivers: Waivers = None,
    policies: Policies = None,
    since: Since = None,
    no_graph: NoGraph = False,
    store: Store = None,
    server: Server = None,
) -> CheckOptions:
    return CheckOptions(
        mode, profile, fail_on, format, output, tuple(also or ()), waivers, tuple(policies or ()), since, no_graph, store, server
    )


_SHARED = tuple(inspect.signature(_build_options, eval_str=True).parameters.values())
OPTIONS = frozenset(parameter.name for parameter in _SHARED)


def make_check_command(read: Callable[..., CheckInputs]) -> Callable[..., None]:
    """A command that judges the inputs that `read` makes of its own arguments. It has the options of all checks as well."""

    def command(**given: object) -> None:
        with exit_by_decision() as decision:
            from meshline.cli.check_run import run_check

            asked = _build_options(**{name: value for name, value in given.items() if name in OPTIONS})  # type: ignore[arg-type]
            decision.passed = run_check(read(**{name: value for name, value in given.items() if name not in OPTIONS}), asked)

    own = inspect.signature(read, eval_str=True).parameters.values()
    command.__signature__ = inspect.Signature([*own, *_SHARED])  # type: ignore[attr-defined]
    command.__name__, command.__doc__ = read.__name__, read.__doc__
    return command


class Compatibility(enum.StrEnum):
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"
    NONE = "NONE"


@make_check_command
def _read_git_changes(
    *,
    git: Annotated[
        str | None,
        typer.Option(
            help="Judge the changes since the branch left this one (or this commit), in the files that the mesh file names.",
            show_default=False,
            metavar="BASE",
        ),
    ] = None,
    mesh: Annotated[Path, typer.Option(help="The mesh file.", metavar="FILE")] = Path("mesh.yaml"),
    base_tree: Annotated[
        Path | None,
        typer.Option(
            help="A checkout of the base (git worktree add) in which `dbt compile` ran, so that it has the target folders of the base.",
            show_default=False,
            metavar="DIR",
        ),
    ] = None,
    compatibility: Annotated[
        Compatibility | None,
        typer.Option(
            help="Let a mode of schema registries decide on files of Avro and Protobuf: BACKWARD, FORWARD, FULL, NONE. [default: as the"
            " mesh file states]",
            show_default=False,
            case_sensitive=False,
            metavar="MODE",
        ),
    ] = None,
) -> CheckInputs:
    from meshline.errors import InvalidInput
    from meshline.ingest.changes.git import count_files, find_changes
    from meshline.ingest.mesh import parse_mesh_file, read_mesh_file

    assert git is not None
    changes, parsed = find_changes(git, mesh, base_tree, compatibility or ""), parse_mesh_file(read_mesh_file(mesh), str(mesh))
    given, found = changes.inputs, count_files((one.source for one in parsed.sources), mesh.absolute().parent)
    if not given and not any(found.values()) and not changes.equal and not changes.warnings:
        raise InvalidInput("its sources name no contracts, product specs, schemas, SQL or dbt project that could be compared", str(mesh))
    warnings = tuple(f"{source} has no files here, so it is not compared" for source, files in found.items() if not files)
    unchanged = max(0, sum(found.values()) - len(given) + changes.schemas) + changes.equal
    return CheckInputs(given, mesh.parent, parsed.namespaces, (*warnings, *changes.warnings), unchanged=unchanged)


def check(context: typer.Context, **given: object) -> None:
    """Judge whether a change may ship and which consumers it hits.

    Exit code 0: it may ship. 1: there is a finding at or above --fail-on. 2: the check could not be decided.
    """
    if context.invoked_subcommand is None:
        if given["git"] is None:
            raise typer.BadParameter("give a COMMAND, or --git BASE", context)
        _read_git_changes(**given)
        return
    misplaced = [name for name in given if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"]
    if misplaced:
        raise typer.BadParameter(f"options of {context.invoked_subcommand} follow it; found --{misplaced[0].replace('_', '-')}", context)


_OWN = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
check.__signature__ = inspect.Signature([_OWN, *inspect.signature(_read_git_changes).parameters.values()])  # type: ignore[attr-defined]


@make_check_command
def contract(
    old: Annotated[str, typer.Argument(help="The current contract; without NEW, the new one; or -.", metavar="OLD")],
    new: Annotated[str | None, typer.Argument(help="The new contract.", show_default=False, metavar="NEW")] = None,
) -> CheckInputs:
    """Judge a change of a data contract. A single file is compared with the contract in the graph."""
    from meshline.cli.check_run import read_versions

    return CheckInputs([read_versions("contract", old, new)], against_graph=new is None)


@make_check_command
def product(
    old: Annotated[str, typer.Argument(help="The current product spec; without NEW, the new one; or -.", metavar="OLD")],
    new: Annotated[str | None, typer.Argument(help="The new product spec.", show_default=False, metavar="NEW")] = None,
) -> CheckInputs:
    """Judge a change of a product spec. A single file is compared with the product in the graph."""
    from meshline.cli.check_run import read_versions

    return CheckInputs([read_versions("product", old, new)], against_graph=new is None)


@make_check_command
def dbt(
    old: Annotated[str, typer.Argument(help="The current manifest.json, or its folder (dbt's --state).", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="The new manifest.json, or its folder: target/.", metavar="NEW")],
    *,
    namespace: Annotated[
        str | None, typer.Option(help="The namespace of the project's datasets in the graph: snowflake://account, ...", metavar="NAMESPACE")
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(help="The SQL dialect, as sqlglot names it. [default: the adapter's]", show_default=False)
    ] = None,
) -> CheckInputs:
    """Judge what changed in a dbt project: columns, types, tests, access, and the SQL of models.

    A catalog.json in the folder of each manifest gives the columns and types in the warehouse. A manifest in the target folder
    of its project must have been made from the current files of the project.
    """
    from pathlib import Path

    from meshline.cli.check_run import MANIFEST, STDIN, collect_options, read_sibling, read_versions
    from meshline.ingest.changes.dbt_files import check_target

    paths = [Path(name) for name in (old, new) if name != STDIN]
    warnings = [one for path in paths for one in check_target(path / MANIFEST if path.is_dir() else path)]
    catalogs = {"old-catalog": read_sibling(old, "catalog.json"), "new-catalog": read_sibling(new, "catalog.json")}
    given = read_versions("dbt", old, new, collect_options(namespace=namespace, dialect=dialect, **catalogs), inside=MANIFEST)
    return CheckInputs([given], warnings=tuple(warnings))


class SchemaFormat(enum.StrEnum):
    ICEBERG = "iceberg"
    DELTA = "delta"
    AVRO = "avro"
    JSON = "json"
    PROTOBUF = "protobuf"


@make_check_command
def schema(
    old: Annotated[str, typer.Argument(help="The current schema; without NEW, the new one; or -.", metavar="OLD")],
    new: Annotated[str | None, typer.Argument(help="The new schema.", show_default=False, metavar="NEW")] = None,
    *,
    kind: Annotated[
        SchemaFormat | None,
        typer.Option(
            "--as",
            help="Iceberg table metadata, a Delta, Avro or JSON schema, or Protobuf files. [default: detected from the content or ending]",
            show_default=False,
            case_sensitive=False,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="The dataset, by any of its names or the end of one. [default: the name in the file]", show_default=False),
    ] = None,
    message: Annotated[
        str | None,
        typer.Option(
            help="The message of Protobuf, by its full name or the end of it. [default: all that no other message contains]",
            show_default=False,
        ),
    ] = None,
    compatibility: Annotated[
        Compatibility | None,
        typer.Option(
            help="Let a mode of schema registries decide in place of the profile: BACKWARD: new readers read old data. FORWARD: old readers"
            " read new data. FULL: both. The transitive ones: of all versions. Avro and Protobuf.",
            show_default=False,
            case_sensitive=False,
            metavar="MODE",
        ),
    ] = None,
    earlier: Annotated[
        list[str] | None,
        typer.Option(help="A version before OLD, for a transitive mode; may be repeated.", show_default=False, metavar="FILE"),
    ] = None,
    catalog: Annotated[
        str | None,
        typer.Option(
            help="Compare with the live table that --dataset names (as schema.table) in this Iceberg catalog: a URI, or pyiceberg's name.",
            show_default=False,
            metavar="URI",
        ),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(
            help="Compare with the newest version of --subject in this schema registry. Its mode decides, unless --profile is given.",
            show_default=False,
            metavar="URL",
        ),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="The subject in the registry, e.g. orders-value.", show_default=False)] = None,
    user: Annotated[str, typer.Option(help="User of the registry; ${NAME} is an environment variable.", metavar="USER")] = "",
    password: Annotated[str, typer.Option(help="The user's password; ${NAME} is an environment variable.", metavar="PASSWORD")] = "",
    token: Annotated[str, typer.Option(help="A bearer token instead; ${NAME} is an environment variable.", metavar="TOKEN")] = "",
) -> CheckInputs:
    """Judge a change of the schema of a table or of messages. A single file is compared with the dataset in the graph.

    A folder is a Delta table, an Iceberg table with its metadata, or has Protobuf files that import each other by their paths in it.
    """
    from pathlib import Path

    from meshline.app.settings import read_variable
    from meshline.cli.check_run import STDIN, collect_options, read_proto_versions, read_versions
    from meshline.ingest.changes.schema import find_schema_file, is_protobuf_path, read_live_table

    olds = [*(earlier or ()), old]
    options = collect_options(format=kind, dataset=dataset, message=message, compatibility=compatibility)
    if any((registry, subject, user, password, token)):
        if not registry or not subject or new is not None or catalog is not None or earlier:
            raise InvalidInput("is for one file, and needs --registry and --subject", "--registry" if registry else "--subject")
        return _compare_with_registry(old, options, registry, subject, (user, password, token))
    _check_mode(earlier, compatibility, two_versions=new is not None and catalog is None)
    names = [name for name in (*olds, new) if name is not None]
    if len(names) > 2 and STDIN in names:
        raise InvalidInput("of more than two versions none can come from standard input", STDIN)
    if kind == SchemaFormat.PROTOBUF or (kind is None and any(is_protobuf_path(Path(name)) for name in names if name != STDIN)):
        if catalog is not None:
            raise InvalidInput("is for tables of Iceberg, and this is Protobuf", "--catalog")
        options["format"] = "protobuf"
        return CheckInputs([read_proto_versions(one, new, options) for one in olds], against_graph=new is None)
    if message is not None:
        raise InvalidInput("is for files of Protobuf", "--message")
    files = [name if name == STDIN else str(find_schema_file(Path(name))) for name in names]
    if catalog is None:
        last = files[-1] if new is not None else None
        return CheckInputs([read_versions("schema", one, last, options) for one in files[: len(olds)]], against_graph=new is None)
    if dataset is None or new is not None:
        raise InvalidInput("is for one file: name its table with --dataset", "--catalog")
    given = read_versions("schema", files[0], None, options)
    return CheckInputs([given._replace(before=read_live_table(catalog, dataset.rpartition("/")[2], read_variable))])


def _check_mode(earlier: list[str] | None, compatibility: Compatibility | None, *, two_versions: bool) -> None:
    if (earlier or compatibility is not None) and not two_versions:
        raise InvalidInput("needs two versions, OLD and NEW", "--compatibility" if compatibility is not None else "--earlier")
    if earlier and (compatibility is None or not compatibility.endswith("_TRANSITIVE")):
        raise InvalidInput("only a transitive mode compares with more than one version: --compatibility BACKWARD_TRANSITIVE", "--earlier")


def _compare_with_registry(file: str, options: Mapping[str, str], url: str, subject: str, account: tuple[str, str, str]) -> CheckInputs:
    """A file and the versions of a subject that its mode is about. Raises InvalidInput, NotFound, StoreUnavailable."""
    from meshline.app.settings import read_variable
    from meshline.cli.check_run import read_proto_versions, read_version
    from meshline.ingest.changes import Text
    from meshline.ingest.sources.schema_registry.live_subject import read_live_subject
    from meshline.ingest.sources.schema_registry.registry_client import Account

    live = read_live_subject(url, subject, Account(*account), read_variable, options.get("compatibility", ""))
    written = options.get("format", live.format)
    if written != live.format:
        raise InvalidInput(f"found {written}, and the subject has the format {live.format}", "--as")
    if "message" in options and live.format != SchemaFormat.PROTOBUF:
        raise InvalidInput("is for files of Protobuf", "--message")
    options = {**options, "format": live.format}
    is_protobuf = live.format == SchemaFormat.PROTOBUF
    given = read_proto_versions(file, None, options) if is_protobuf else read_version("schema", file, options)
    assert given.after is not None
    after = Text(given.after.name, live.complete(given.after.data, given.after.name))
    pairs = [given._replace(before=Text(one.name, one.build_text()), after=after) for one in live.versions]
    return CheckInputs(pairs, registry_mode="" if "compatibility" in options else live.mode, warnings=live.warnings)


@make_check_command
def ddl(
    file: Annotated[list[str], typer.Argument(help="SQL, in the order in which it runs. - is standard input.", metavar="FILE...")],
    *,
    dialect: Annotated[str | None, typer.Option(help="The SQL dialect, as sqlglot names it: trino, spark, ...", show_default=False)] = None,
    namespace: Annotated[str | None, typer.Option(help="The namespace of the tables.", show_default=False, metavar="NAMESPACE")] = None,
    catalog: Annotated[str | None, typer.Option(help="The catalog of names without one.", show_default=False)] = None,
    schema: Annotated[str | None, typer.Option(help="The schema of names without one.", show_default=False)] = None,
) -> CheckInputs:
    """Judge the effect of CREATE, ALTER and DROP statements on tables in the graph."""
    from meshline.cli.check_run import collect_options, read_version

    options = collect_options(dialect=dialect, namespace=namespace, catalog=catalog, schema=schema)
    return CheckInputs([read_version("ddl", name, options) for name in file], against_graph=True)


@make_check_command
def change(
    change: Annotated[
        list[str],
        typer.Argument(
            help="'drop T.C', 'rename T.C to D', 'retype T.C to TYPE', 'add T.C TYPE', 'make T.C not null', 'drop T', 'ALTER TABLE ...'.",
            metavar="CHANGE...",
        ),
    ],
) -> CheckInputs:
    """Judge changes that are described in words. Several changes are judged together."""
    from meshline.ingest.changes import ChangeInput, Text

    return CheckInputs([ChangeInput("change", None, Text("", "\n".join(change).encode("utf-8", "replace")))], against_graph=True)
