"""`--git BASE`: what differs between a base and the working tree, on a real repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.ingest.changes import ChangeInput
from meshline.ingest.changes.git import find_changes
from meshline.ingest.changes.git_repository import match_paths

CONTRACT = """\
dataContractSpecification: 1.1.0
id: {id}
info: {{title: {title}, version: {version}}}
models:
  orders:
    fields:
      id: {{type: string}}
"""
MESH = """\
version: 1
namespaces: {lake: "http://lake:8181"}
sources:
  - {kind: contract, files: ["contracts/**/*.yaml"]}
  - {kind: sql, files: ["sql/*.sql"], dialect: trino, namespace: "trino://t"}
  - {kind: iceberg, files: ["iceberg/*.json"], namespace: lake}
"""
DELTA = '  - {kind: delta, tables: ["delta/*"], folder: /w/delta}\n'
DBT = "  - {kind: dbt, path: dbt/target, namespace: lake}\n"


class Work:
    """A working tree with a repository."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mesh = root / "mesh.yaml"
        root.mkdir()
        self.run_git("init", "--quiet", "--initial-branch=main")
        self.run_git("config", "user.email", "t@example.org")
        self.run_git("config", "user.name", "t")
        self.put("mesh.yaml", MESH)

    def run_git(self, *arguments: str) -> str:
        quiet = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        return subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True, env=quiet).stdout

    def put(self, name: str, text: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit(self, message: str = "work") -> None:
        self.run_git("add", "--all")
        self.run_git("commit", "--quiet", "--allow-empty", "-m", message)

    def list_work_changes(self, base: str = "main") -> list[ChangeInput]:
        return find_changes(base, self.mesh).inputs


@pytest.fixture
def work(tmp_path: Path) -> Work:
    made = Work(tmp_path / "répo with space")
    made.put("contracts/orders.yaml", format_contract())
    made.put("contracts/deep/er/payments.yaml", format_contract("payments"))
    made.put("sql/v.sql", "CREATE VIEW s.v AS SELECT 1 AS a")
    made.put("iceberg/orders.orders.json", "{}")
    made.put("other/notes.yaml", "a: 1")
    made.commit()
    return made


def format_contract(id_: str = "orders", version: str = "1.0.0", title: str = "T") -> str:
    return CONTRACT.format(id=id_, version=version, title=title)


def list_names(given: list[ChangeInput]) -> list[tuple[str, str | None, str | None]]:
    return [(one.kind, one.before.name if one.before else None, one.after.name if one.after else None) for one in given]


def test_nothing_changed(work: Work) -> None:
    assert work.list_work_changes() == []


def test_what_is_changed_added_and_deleted(work: Work) -> None:
    work.put("contracts/orders.yaml", format_contract(title="Other"))
    work.put("contracts/new.yaml", format_contract("new"))  # not added to git
    (work.root / "contracts/deep/er/payments.yaml").unlink()
    work.put("other/notes.yaml", "a: 2")
    assert list_names(work.list_work_changes()) == [
        ("contract", None, "contracts/new.yaml"),
        ("contract", "contracts/orders.yaml", "contracts/orders.yaml"),
        ("contract", "contracts/deep/er/payments.yaml", None),
    ]


def test_the_texts_are_those_of_base_and_working_tree(work: Work) -> None:
    work.put("contracts/orders.yaml", format_contract(title="Committed"))
    work.commit()
    work.put("contracts/orders.yaml", format_contract(title="Not yet"))
    (given,) = work.list_work_changes("HEAD~1")
    assert given.before is not None
    assert given.after is not None
    assert b"title: T," in given.before.data
    assert b"title: Not yet" in given.after.data


def test_a_contract_in_another_file_is_the_same(work: Work) -> None:
    (work.root / "contracts/orders.yaml").rename(work.root / "contracts/deep/moved.yaml")
    assert work.list_work_changes() == []
    work.put("contracts/deep/moved.yaml", format_contract(version="2.0.0"))
    assert list_names(work.list_work_changes()) == [("contract", "contracts/orders.yaml", "contracts/deep/moved.yaml")]


def test_contracts_that_trade_files(work: Work) -> None:
    work.put("contracts/orders.yaml", format_contract("payments"))
    work.put("contracts/deep/er/payments.yaml", format_contract("orders"))
    assert work.list_work_changes() == []


def test_a_new_version_beside_the_old_one_is_compared_with_the_newest(work: Work) -> None:
    work.put("contracts/orders_v10.yaml", format_contract(version="10.0.0"))
    work.put("contracts/orders_v9.yaml", format_contract(version="9.0.0"))
    work.commit()
    work.put("contracts/orders_v11.yaml", format_contract(version="11.0.0"))
    assert list_names(work.list_work_changes()) == [("contract", "contracts/orders_v10.yaml", "contracts/orders_v11.yaml")]


def test_an_old_version_whose_file_goes_is_no_contract_that_is_gone(work: Work) -> None:
    work.put("contracts/orders_v2.yaml", format_contract(version="2.0.0"))
    work.commit()
    (work.root / "contracts/orders.yaml").unlink()
    assert work.list_work_changes() == []


def test_a_contract_that_cannot_be_read_is_given_as_it_is(work: Work) -> None:
    work.put("contracts/orders.yaml", "a: [")
    (given,) = work.list_work_changes()
    assert given.before is not None
    assert given.after is not None
    assert given.after.data == b"a: ["


def test_scripts_come_with_the_options_of_their_source(work: Work) -> None:
    work.put("sql/v.sql", "CREATE VIEW s.v AS SELECT 2 AS a")
    (given,) = work.list_work_changes()
    assert list_names([given]) == [("ddl", "sql/v.sql", "sql/v.sql")]
    assert given.options == {"dialect": "trino", "namespace": "trino://t"}


def test_a_script_under_another_name_is_the_same(work: Work) -> None:
    (work.root / "sql/v.sql").unlink()
    work.put("sql/w.sql", "-- the view\nCREATE OR REPLACE VIEW s.v AS SELECT 2 AS a")
    work.put("sql/x.sql", "CREATE VIEW s.x AS SELECT 2 AS a")
    assert list_names(work.list_work_changes()) == [("ddl", "sql/v.sql", "sql/w.sql"), ("ddl", None, "sql/x.sql")]


def test_metadata_of_iceberg_names_its_table(work: Work) -> None:
    work.put("iceberg/orders.orders.json", "{ }")
    (given,) = work.list_work_changes()
    assert given.options == {"format": "iceberg", "dataset": "http://lake:8181/orders.orders", "new": "yes"}


def test_a_delta_table_by_the_last_commit_that_has_metadata(work: Work) -> None:
    work.put("mesh.yaml", MESH + DELTA)
    first = '{"metaData":{"id":"1","schemaString":"{}","partitionColumns":[]}}\n'
    work.put("delta/t/_delta_log/00000000000000000000.json", first)
    work.put("delta/t/_delta_log/00000000000000000001.json", '{"commitInfo":{}}\n')
    work.put("delta/t/part-0.parquet", bytes(range(256)))
    work.commit()
    work.put("delta/t/_delta_log/00000000000000000002.json", '{"commitInfo":{}}\n')
    assert work.list_work_changes() == []
    work.put("delta/t/_delta_log/00000000000000000003.json", first.replace('"1"', '"2"'))
    (given,) = work.list_work_changes()
    assert list_names([given]) == [
        ("schema", "delta/t/_delta_log/00000000000000000000.json", "delta/t/_delta_log/00000000000000000003.json")
    ]
    assert given.options["dataset"] == "file//w/delta/t"


def test_a_delta_log_that_began_with_a_checkpoint_is_reported(work: Work) -> None:
    work.put("mesh.yaml", MESH + DELTA)
    work.put("delta/t/_delta_log/00000000000000000010.checkpoint.parquet", bytes(range(256)))
    work.put("delta/t/_delta_log/00000000000000000010.json", '{"commitInfo":{}}\n')
    work.commit()
    work.put("delta/t/_delta_log/00000000000000000011.json", '{"metaData":{"id":"1","schemaString":"{}","partitionColumns":[]}}\n')
    (given,) = work.list_work_changes()
    assert given.before is None
    assert "checkpoint" in given.options["warning"]


def test_a_manifest_of_dbt(work: Work) -> None:
    work.put("mesh.yaml", MESH + DBT)
    work.put(".gitignore", "target/\n")
    work.put("dbt/target/manifest.json", "{}")
    work.commit()
    (given,) = work.list_work_changes()
    assert list_names([given]) == [("dbt", None, "dbt/target/manifest.json")]
    warning = given.options["warning"]
    assert given.options == {"name": "default", "namespace": "http://lake:8181", "warning": warning}
    assert "its dbt_project.yml is not in the repository" in warning


def test_a_source_that_the_mesh_file_does_not_name_any_more(work: Work) -> None:
    work.put("mesh.yaml", MESH.replace('  - {kind: contract, files: ["contracts/**/*.yaml"]}\n', ""))
    assert list_names(work.list_work_changes()) == [
        ("mesh", "mesh.yaml", "mesh.yaml"),
        ("contract", "contracts/deep/er/payments.yaml", None),
        ("contract", "contracts/orders.yaml", None),
    ]


def test_a_mesh_file_in_a_folder(tmp_path: Path) -> None:
    work = Work(tmp_path / "repo")
    work.put("meshes/one/mesh.yaml", "version: 1\nsources: [{kind: contract, files: ['../shared/*.yaml']}]\n")
    work.put("meshes/shared/orders.yaml", format_contract())
    work.commit()
    work.put("meshes/shared/orders.yaml", format_contract(title="Other"))
    given = find_changes("main", work.root / "meshes/one/mesh.yaml").inputs
    assert list_names(given) == [("contract", "meshes/shared/orders.yaml", "meshes/shared/orders.yaml")]


def test_the_base_is_where_the_branch_began(work: Work) -> None:
    work.run_git("checkout", "--quiet", "-b", "feature")
    work.run_git("checkout", "--quiet", "main")
    work.put("contracts/orders.yaml", format_contract(title="Of another branch"))
    work.commit()
    work.run_git("checkout", "--quiet", "feature")
    assert work.list_work_changes("main") == work.list_work_changes("main...") == work.list_work_changes("main...HEAD") == []
    work.put("contracts/new.yaml", format_contract("new"))
    work.commit()
    assert list_names(work.list_work_changes("main")) == [("contract", None, "contracts/new.yaml")]


def test_tags_and_commits_are_bases(work: Work) -> None:
    work.run_git("tag", "v1.0")
    first = work.run_git("rev-parse", "HEAD").strip()
    work.put("contracts/orders.yaml", format_contract(title="Other"))
    work.commit()
    for base in ("v1.0", first, first[:10], "HEAD~1"):
        assert list_names(work.list_work_changes(base)) == [("contract", "contracts/orders.yaml", "contracts/orders.yaml")]


@pytest.mark.parametrize(
    "base", ["--output=x", "-n", "", "a b", "ma\nin", "x..y..z", "main:contracts/orders.yaml", "$(: > x)", "main;true"]
)
def test_no_base(work: Work, base: str) -> None:
    with pytest.raises(InvalidInput):
        work.list_work_changes(base)
    assert not (work.root / "x").exists()


def test_the_message_of_an_unknown_base_names_the_command_that_fetches_it(work: Work) -> None:
    with pytest.raises(InvalidInput, match="git fetch origin develop"):
        work.list_work_changes("origin/develop")


def test_a_shallow_clone_is_reported(work: Work, tmp_path: Path) -> None:
    work.commit("second")
    subprocess.run(["git", "clone", "--quiet", "--depth=1", work.root.as_uri(), str(tmp_path / "clone")], check=True, capture_output=True)
    for base in ("HEAD~1", "v1"):
        with pytest.raises(InvalidInput, match=r"shallow.*fetch-depth: 0"):
            find_changes(base, tmp_path / "clone" / "mesh.yaml")


def test_no_repository(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(MESH)
    with pytest.raises(InvalidInput, match="not a git repository"):
        find_changes("main", tmp_path / "mesh.yaml")


def test_no_git(work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInput, match="git is not installed"):
        work.list_work_changes()


def test_no_commit(tmp_path: Path) -> None:
    work = Work(tmp_path / "repo")
    with pytest.raises(InvalidInput, match=r"git knows no 'main'|no commit"):
        work.list_work_changes()


def test_branches_without_a_common_commit(work: Work) -> None:
    work.run_git("checkout", "--quiet", "--orphan", "alone")
    work.commit("another first one")
    with pytest.raises(InvalidInput, match="no commit in common"):
        work.list_work_changes()


def test_a_mesh_file_that_cannot_be_read(work: Work) -> None:
    work.put("mesh.yaml", "version: 1\nsources: [{kind: contarct}]\n")
    with pytest.raises(InvalidInput, match=r"mesh.yaml:2.*contract"):
        work.list_work_changes()
    (work.root / "mesh.yaml").unlink()
    with pytest.raises(InvalidInput, match=r"mesh.yaml"):
        work.list_work_changes()


def test_a_file_in_git_lfs(work: Work) -> None:
    work.put("contracts/orders.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")
    with pytest.raises(InvalidInput, match="LFS"):
        work.list_work_changes()


def test_files_with_odd_names(work: Work) -> None:
    odd = 'contracts/a "quoted" ü [x]\n.yaml'
    work.put(odd, format_contract("odd"))
    work.commit()
    work.put(odd, format_contract("odd", title="Other"))
    assert list_names(work.list_work_changes("HEAD~0")) == [("contract", odd, odd)]


PATTERNS = (
    "*.yaml", "a/*.yaml", "**/*.yaml", "a/**/*.yaml", "a/?.yaml", "a/[bc].yaml", "a/[!b].yaml", "a/b.yaml", "**/b*/*.yaml", "*/*.y?ml",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_those_of_the_working_tree(tmp_path: Path, pattern: str) -> None:
    paths = ["x.yaml", "a/b.yaml", "a/c.yaml", "a/d/e.yaml", "a/d/f/g.yaml", "b1/h.yaml", "a/.hidden.yaml", "a/b.yml", "a.b/x.yaml"]
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob(pattern) if path.is_file()}
    assert set(match_paths(paths, [pattern])) == there
    assert there
