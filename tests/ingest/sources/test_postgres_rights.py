"""Who may read a table of PostgreSQL, compared with what PostgreSQL itself answers for each role."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from meshline.graph.model import AssetKind, EdgeType
from meshline.ingest.sources.databases.postgres.role_rights import ReadRights, Role
from meshline.ingest.sources.registry import build_source
from tests.ingest.sources.catalog_reading import CatalogReading
from tests.postgres import Database, PostgresServer

ROLES = ("ann", "bob", "cat", "dan", "eve", "analysts", "finance", "everything")


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    """With roles that are the server's, so that they go afterwards."""
    made = postgres.make_database()
    made.execute(*(f"CREATE ROLE {name} {'LOGIN' if len(name) == 3 else ''}" for name in ROLES))
    yield made
    made.execute(f"DROP OWNED BY {', '.join(ROLES)}", f"DROP ROLE {', '.join(ROLES)}")


def read_rights(database: Database, **keys: object) -> dict[str, dict[str, tuple[str, ...]]]:
    """By table: the columns that each may read (empty: all), without those of the superuser."""
    reading = CatalogReading(build_source({"kind": "postgres", "url": database.url, "history": False, **keys}), Path.cwd())
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for scope, facts in reading.facts.items():
        if scope[0] == "may-read":
            rights: dict[str, tuple[str, ...]] = {}
            for edge in facts.edges:
                assert edge.type is EdgeType.MAY_READ
                name = edge.start.name.removeprefix(f"postgres://{database.address}/")
                rights[name] = (*rights.get(name, ()), *((edge.end.name,) if edge.end.kind is AssetKind.COLUMN else ()))
            found[scope[2].removeprefix(f"{database.name}.")] = rights
    return found


def test_grants_of_tables_columns_schemas_and_groups(database: Database) -> None:
    database.execute(
        "CREATE SCHEMA closed",
        "CREATE TABLE open (id int, secret text)",
        "CREATE TABLE own (id int)",
        "CREATE TABLE parts (id int, name text, secret text)",
        "CREATE TABLE closed.t (id int)",
        "GRANT analysts TO ann",
        "GRANT finance TO analysts",
        "GRANT SELECT ON open TO PUBLIC",
        "GRANT SELECT ON own TO finance, bob",
        "GRANT SELECT (id, name) ON parts TO cat",
        "GRANT SELECT (name) ON parts TO finance",
        "GRANT SELECT ON closed.t TO bob, cat",
        "GRANT USAGE ON SCHEMA closed TO cat",
        "GRANT pg_read_all_data TO everything",
        "GRANT everything TO eve",
    )
    assert read_rights(database) == {
        "public.open": {"PUBLIC": ()},
        "public.own": {"ann": (), "bob": (), "finance": (), "eve": ()},
        "public.parts": {"ann": ("name",), "finance": ("name",), "cat": ("id", "name"), "eve": ()},
        "closed.t": {"cat": (), "eve": ()},
    }, "who is a member has the right; who may not use the schema has none"
    assert read_rights(database, grants=False) == {}


def test_row_security_owners_and_what_a_role_means(database: Database) -> None:
    database.execute(
        "CREATE TABLE t (id int)",
        "ALTER TABLE t OWNER TO ann",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "GRANT SELECT ON t TO bob, cat",
        "ALTER ROLE cat BYPASSRLS",
    )
    source = build_source({"kind": "postgres", "url": database.url, "history": False, "owners": {"bob": "team:orders"}})
    reading = CatalogReading(source, Path.cwd())
    [facts] = [facts for scope, facts in reading.facts.items() if scope[0] == "may-read"]
    at = f"postgres://{database.address}"
    assert {edge.start.name: dict(edge.attributes) for edge in facts.edges} == {
        f"{at}/ann": {"grant": "ann"},
        f"{at}/cat": {"grant": "cat"},
        "team:orders": {"grant": "bob", "row_filter": True},
    }
    assert {fact.key.name: dict(fact.attributes) for fact in facts.assets} == {
        f"{at}/{name}": {"title": name, "owner_type": "role"} for name in ("ann", "cat")
    }
    assert reading.describe(f"{database.name}.public.t")["row_security"] is True


@pytest.mark.parametrize("seed", range(4))
def test_postgresql_answers_the_same_for_every_role(database: Database, seed: int) -> None:
    """Random grants, memberships and schemas; the answers of has_table_privilege and has_schema_privilege decide."""
    rng = random.Random(seed)
    schemas, statements = ("public", "a", "b"), ["CREATE SCHEMA a", "CREATE SCHEMA b"]
    tables = [f"{schema}.t{i}" for schema in schemas for i in range(3)]
    statements += [f"CREATE TABLE {table} (x int, y int)" for table in tables]
    statements += [f"GRANT USAGE ON SCHEMA {rng.choice(schemas)} TO {rng.choice((*ROLES, 'PUBLIC'))}" for _ in range(3)]
    statements += [f"GRANT SELECT ON {rng.choice(tables)} TO {rng.choice((*ROLES, *ROLES, 'PUBLIC'))}" for _ in range(12)]
    statements += [f"GRANT SELECT (x) ON {rng.choice(tables)} TO {rng.choice(ROLES)}" for _ in range(4)]
    pairs = [rng.sample(range(len(ROLES)), 2) for _ in range(6)]
    options = [rng.choice(("", " WITH INHERIT FALSE")) for _ in pairs]
    statements += [f"GRANT {ROLES[max(p)]} TO {ROLES[min(p)]}{option}" for p, option in zip(pairs, options, strict=True)]
    statements += [f"ALTER TABLE {rng.choice(tables)} OWNER TO {rng.choice(ROLES)}"]
    database.execute(*statements)
    found = read_rights(database)
    with psycopg.connect(database.url) as connection:
        for table in tables:
            schema = table.partition(".")[0]
            rights = found.get(table, {})
            for role in (one for one in ROLES if len(one) == 3):  # who logs in
                for column in ("x", "y"):
                    asked = "SELECT has_column_privilege(%s, %s, %s, 'SELECT') AND has_schema_privilege(%s, %s, 'USAGE')"
                    row = connection.execute(asked, (role, table, column, role, schema)).fetchone()
                    assert row is not None
                    given = rights.get("PUBLIC", rights.get(role))
                    assert (given is not None and (not given or column in given)) is row[0], (statements, table, role, column, rights)


def test_roles_that_have_the_rights_of_each_other() -> None:
    """PostgreSQL refuses circles; a reading of two snapshots could still see one."""
    roles = {
        1: Role("a", logs_in=True, superuser=False, bypasses_row_security=False, inherits=(2,)),
        2: Role("b", logs_in=True, superuser=False, bypasses_row_security=False, inherits=(1,)),
    }
    rights = ReadRights(roles, {"s": frozenset({0})})
    assert [one.principal for one in rights.list_rights("s", [(None, 2)], "x", row_security=False)] == ["a", "b"]
    assert rights.list_rights("other", [(None, 2)], "x", row_security=False) == ()
    assert rights.list_rights("s", [(None, 99)], "x", row_security=False) == ()


def test_a_role_with_many_members_has_their_right() -> None:
    def build_role(name: str, *inherits: int) -> Role:
        return Role(name, logs_in=bool(inherits), superuser=False, bypasses_row_security=False, inherits=inherits)

    def list_principals(members: int) -> list[str]:
        roles = {1: build_role("analysts"), **{number: build_role(f"a{number}", 1) for number in range(2, 2 + members)}}
        found = ReadRights(roles, {"s": frozenset({0})}).list_rights("s", [(None, 1)], "x", row_security=False)
        return [one.principal for one in found]

    assert len(list_principals(99)) == 100, "the members, and the role itself"
    assert list_principals(100) == ["analysts"]
