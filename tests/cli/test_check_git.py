"""`meshline check --git` in real repositories."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import Ran, run_command
from tests.cli.dbt_project import MODELS, PAIR, PAYMENTS, DbtProject
from tests.cli.work_tree import WorkTree


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkTree:
    """A repository without commits, whose root is the current folder."""
    made = WorkTree(tmp_path / "repository")
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("MESHLINE_STORE", raising=False)
    return made


def check_against_main(*more: str) -> Ran:
    return run_command("check", "--git", "main", *(more or ("--no-graph",)))


# -- SQL

VIEW = """\
version: 1
sources:
  - {kind: sql, name: v, files: ["*.sql"], dialect: trino, namespace: "trino://t:8080", catalog: hive, schema: sales}
"""


@pytest.fixture
def view(work: WorkTree) -> Callable[[str], Ran]:
    """Checks a view that was `create view v_rev as select country, revenue from rev`."""
    work.put("mesh.yaml", VIEW)
    work.put("v.sql", "create view v_rev as select country, revenue from rev;")
    work.commit()

    def check_view(text: str, *more: str) -> Ran:
        work.put("v.sql", text)
        return check_against_main(*more)

    return check_view


@pytest.mark.parametrize("graph", ["none", "empty", "synced"])
@pytest.mark.parametrize(
    "text",
    [
        "-- of the year\ncreate view v_rev as\n  select country, revenue\n  from rev;\n",
        "create or replace view v_rev as select country, revenue from rev",
        "CREATE VIEW hive.sales.v_rev AS /* the same */ SELECT country, revenue FROM rev",
    ],
)
def test_a_view_in_other_words_is_no_change(view: Callable[[str], Ran], graph: str, text: str) -> None:
    if graph == "synced":
        assert run_command("sync", "mesh.yaml").code == 0
    ran = view(
        text, *(["--no-graph"] if graph == "none" else ["--store", "sqlite:///meshline.db" if graph == "synced" else "sqlite://:memory:"])
    )
    assert ran.out.startswith("COMPATIBLE: nothing that matters has changed (1 input compared)"), ran
    assert ran.code == 0


def test_a_view_that_loses_a_column_is_that_of_the_base(view: Callable[..., Ran]) -> None:
    for more in ("--no-graph", "--store=sqlite://:memory:"):
        ran = view("create view v_rev as select country from rev", more)
        assert ran.code == 1
        assert ran.out.startswith("BREAKING: table hive.sales.v_rev: `revenue` is removed; consumers ")


# -- sources without files


def test_a_source_without_files_is_2(work: WorkTree) -> None:
    work.put("mesh.yaml", VIEW + '  - {kind: contract, files: ["contrcts/*.yaml"]}\n')
    work.put("v.sql", "create view v_rev as select 1 as a")
    work.commit()
    ran = check_against_main()
    assert (ran.code, ran.out) == (2, "")
    assert "contract/default has no files: no file matches contrcts/*.yaml" in ran.err


def test_a_source_whose_last_file_is_deleted_is_compared(view: Callable[[str], Ran], work: WorkTree) -> None:
    del view
    (work.root / "v.sql").unlink()
    ran = check_against_main()
    assert ran.code == 1
    assert ran.out.startswith("BREAKING: table hive.sales.v_rev: ")


def test_files_that_are_the_same_are_counted(view: Callable[[str], Ran], work: WorkTree) -> None:
    del view
    work.put("w.sql", "create view w as select 1 as a")
    work.commit()
    work.put("README.md", "nothing of ours")
    ran = check_against_main()
    assert ran.code == 0
    assert ran.out.startswith("COMPATIBLE: nothing that matters has changed (2 inputs compared)")


def test_files_that_git_does_not_keep_are_2(view: Callable[[str], Ran], work: WorkTree) -> None:
    del view
    work.put(".gitignore", "made_*.sql\n")
    work.put("made_w.sql", "create view w as select 1 as a")
    ran = check_against_main()
    assert (ran.code, ran.out) == (2, "")
    assert "made_w.sql: git ignores it (.gitignore), so the base has no version to compare it with" in ran.err
    work.run_git("add", "--force", "made_w.sql")
    assert check_against_main().code == 0


def test_files_of_a_repository_within_are_2(view: Callable[[str], Ran], work: WorkTree) -> None:
    del view
    work.put("mesh.yaml", VIEW.replace('"*.sql"', '"**/*.sql"'))
    WorkTree(work.root / "inner").put("w.sql", "create view w as select 1 as a")
    ran = check_against_main()
    assert (ran.code, ran.out) == (2, "")
    assert "inner/w.sql: it is in a repository of its own" in ran.err


@pytest.mark.parametrize("name", ["mesh.yaml", "v.sql", "meshline-waivers.yaml"])
def test_a_file_that_is_not_utf8_is_2(view: Callable[[str], Ran], work: WorkTree, name: str) -> None:
    del view
    work.put(name, b"create view v_rev as select 1 as caf\xe9")
    ran = check_against_main()
    assert (ran.code, ran.out) == (2, "")
    assert f"{name}:1: byte 0xe9 is not UTF-8; save the file as UTF-8" in ran.err


# -- dbt


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DbtProject:
    made = DbtProject(tmp_path)
    monkeypatch.chdir(made.work.root)
    monkeypatch.delenv("MESHLINE_STORE", raising=False)
    return made


def check_with_base(project: DbtProject) -> Ran:
    return check_against_main("--no-graph", "--base-tree", str(project.base))


def assert_refused(ran: Ran, *messages: str) -> None:
    assert (ran.code, ran.out) == (2, ""), ran
    for one in messages:
        assert one in ran.err


def test_a_manifest_that_is_missing_is_2(project: DbtProject) -> None:
    assert_refused(check_against_main(), "dbt/target/manifest.json: it is missing: run `dbt compile` in dbt")
    project.work.put(
        "mesh.yaml", "version: 1\nsources:\n  - {kind: dbt, path: dbt/target}\n  - {kind: sql, files: ['*.sql'], dialect: trino}\n"
    )
    project.work.put("v.sql", "create view v as select 1 as a")
    assert_refused(check_against_main(), "dbt/target/manifest.json: it is missing")


def test_a_manifest_of_the_base_that_is_missing_is_2(project: DbtProject) -> None:
    project.compile("before")
    assert_refused(
        check_against_main(),
        "git does not have dbt/target/manifest.json of the base",
        "git worktree add ../base",
        "dbt compile",
        "--base-tree ../base",
    )
    project.check_out_base()
    assert_refused(check_with_base(project), f"{project.base}/dbt/target/manifest.json is missing", "dbt compile")
    assert_refused(check_against_main("--no-graph", "--base-tree", "../nowhere"), "--base-tree: there is no folder ../nowhere")


def test_a_column_that_a_pull_request_drops_is_found(project: DbtProject) -> None:
    project.compile("before", project.check_out_base())
    project.compile("before")
    ran = check_with_base(project)
    assert (ran.code, ran.out.partition(";")[0]) == (0, "COMPATIBLE: nothing that matters has changed (1 input compared)")
    project.remove_column()
    assert_refused(check_with_base(project), "stg_payments.sql has changed", "run `dbt compile` in dbt")
    project.compile("after")
    ran = check_with_base(project)
    assert ran.code == 1
    assert ran.out.startswith("BREAKING: table marts.staging.stg_payments: `currency` is removed; consumers were not checked (--no-graph).")
    assert PAYMENTS in ran.out


def test_models_that_the_manifest_does_not_know_or_that_are_gone_are_2(project: DbtProject) -> None:
    project.compile("before", project.check_out_base())
    project.compile("before")
    project.work.put("dbt/models/staging/stg_new.sql", "select 1 as a")
    (project.work.root / "dbt/models/finance/buyer_ledger.sql").unlink()
    assert_refused(check_with_base(project), "models/finance/buyer_ledger.sql is gone", "models/staging/stg_new.sql is not in it")
    project.work.put("dbt/.dbtignore", "# later\n/models/staging/stg_n*.sql\nfinance/\n!buyer*.sql\n")
    project.work.run_git("checkout", "--quiet", "dbt/models/finance/buyer_ledger.sql")
    assert check_with_base(project).code == 0


def test_ends_of_lines_and_white_space_around_are_no_other_file(project: DbtProject) -> None:
    project.compile("before", project.check_out_base())
    project.compile("before")
    file = project.work.root / PAYMENTS
    file.write_bytes(b"\n" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert check_with_base(project).code == 0


def test_yaml_that_the_manifest_has_not_seen_is_2(project: DbtProject) -> None:
    project.compile("before", project.check_out_base())
    yaml = project.work.root / MODELS
    yaml.write_text(yaml.read_text().replace('{ name: revenue, data_type: "decimal(38,2)"', '{ name: revenue, data_type: "decimal(9,2)"'))
    project.compile("before", after=-60)
    assert_refused(check_with_base(project), "models/models.yml is newer", "run `dbt compile` in dbt")
    project.work.commit()
    assert_refused(check_with_base(project), "models/models.yml is newer")  # a manifest from a cache, beside a fresh checkout
    project.compile("before", after=60)
    assert check_with_base(project).code == 0
    yaml.unlink()
    assert_refused(check_with_base(project), "models/models.yml is gone")


def test_two_manifests_are_compared_only_if_they_are_those_of_their_projects(project: DbtProject) -> None:
    old = project.compile("before", project.check_out_base())
    project.remove_column()
    new = project.compile("before")
    assert_refused(
        run_command("check", "dbt", old, new, "--no-graph"),
        f"{new}: it was not made from the files that are there: models/staging/stg_payments.sql has changed",
    )
    project.compile("after", project.base)
    assert_refused(
        run_command("check", "dbt", project.base / "dbt/target", new.parent, "--no-graph"),
        f"{old}: it was not made from the files that are there",
    )
    project.compile("before", project.base)
    project.compile("after", after=-7200)
    ran = run_command("check", "dbt", old, new, "--no-graph")
    assert ran.code == 1
    assert f"{new}: dbt_project.yml" in ran.out
    assert "newer than the manifest: run `dbt compile` if they changed since" in ran.out
    elsewhere = project.work.put("state/manifest.json", old.read_bytes())  # dbt's --state: of another version
    assert "newer" not in run_command("check", "dbt", elsewhere, elsewhere, "--no-graph").out


def test_macros_that_change_what_is_not_compiled_are_2(project: DbtProject) -> None:
    nodes = json.loads((PAIR / "before.json").read_text())["nodes"]
    models = {id_: node for id_, node in nodes.items() if node["resource_type"] == "model"}
    texts = {node["original_file_path"]: (project.work.root / "dbt" / node["original_file_path"]).read_text() for node in models.values()}
    parsed = {
        id_: {**{k: v for k, v in node.items() if k != "compiled_code"}, "raw_code": texts[node["original_file_path"]]}
        for id_, node in models.items()
    }
    project.compile("before", project.check_out_base())
    project.compile("before", nodes={**nodes, **parsed}, after=60)
    assert "run `dbt compile` for both" in check_with_base(project).out
    project.work.put("dbt/macros/attach_exports.sql", "{% macro attach_exports() %} select 2 {% endmacro %}")
    assert_refused(
        check_with_base(project), "macros/attach_exports.sql changed, which could only be seen in compiled SQL, and 5 models have none"
    )
    project.compile("before", after=60)
    assert check_with_base(project).code == 0


def test_a_manifest_of_other_files_than_the_base_is_2(project: DbtProject) -> None:
    project.compile("after", project.check_out_base())
    project.compile("before")
    assert_refused(
        check_with_base(project), "it was not made from the files of the base: models/staging/stg_payments.sql has changed", "--base-tree"
    )
    project.compile("before", project.base, after=-7200)
    assert_refused(check_with_base(project), "models/models.yml is newer")
    project.compile("before", project.base)
    (project.base / MODELS).write_text("models: []")
    assert_refused(check_with_base(project), "models/models.yml is not that of the base")


def test_a_manifest_alone_may_stand_for_the_base(project: DbtProject) -> None:
    project.base.joinpath("dbt").mkdir(parents=True)
    project.compile("before", project.base, after=60)
    project.compile("before")
    assert check_with_base(project).code == 0
    project.compile("before", project.base, after=-60)
    assert_refused(check_with_base(project), "YAML or macros were committed later")


def test_manifests_that_are_in_git_are_compared(project: DbtProject) -> None:
    project.work.put(".gitignore", "")
    project.compile("before", after=-60)
    project.work.commit()
    project.work.run_git("checkout", "--quiet", "-B", "main")
    project.remove_column()
    project.compile("after", after=-60)
    project.work.commit()
    base = ("check", "--git", "main~1", "--no-graph")
    ran = run_command(*base)
    assert ran.code == 1
    assert "`currency` is removed" in ran.out
    project.work.put(MODELS, (project.work.root / MODELS).read_text() + "# later\n")
    project.work.commit()
    assert_refused(run_command(*base), "models/models.yml was committed later")
    assert_refused(
        run_command("check", "--git", "main", "--no-graph"),
        "dbt/target/manifest.json: it was not made from the files of the base: dbt/models/models.yml was committed later",
    )


def test_a_new_project_has_no_base(project: DbtProject) -> None:
    project.work.run_git("rm", "--quiet", "-r", "dbt")
    project.work.commit("without")
    project.work.run_git("checkout", "--quiet", "-B", "main")
    project.work.run_git("checkout", "--quiet", "HEAD~1", "--", "dbt")
    project.set_file_times_back(project.work.root)
    project.compile("before")
    ran = check_against_main()
    assert ran.code == 0
    assert "`marts.staging.stg_payments` is added" in ran.out


def test_a_project_at_the_root_of_the_repository(project: DbtProject) -> None:
    work, base = project.work, project.base
    for path in sorted((work.root / "dbt").iterdir()):
        path.rename(work.root / path.name)
    work.put("mesh.yaml", (work.root / "mesh.yaml").read_text().replace("dbt/target", "target"))
    work.commit()
    work.run_git("checkout", "--quiet", "-B", "main")
    project.check_out_base()
    for root in (base, work.root):
        project.compile("before", root).parent.rename(root / "target")
    assert check_with_base(project).code == 0
    work.put("models/staging/stg_new.sql", "select 1 as a")
    assert_refused(
        check_with_base(project), "target/manifest.json: it was not made", "models/staging/stg_new.sql is not in it; run `dbt compile`"
    )


def test_a_seed_in_git_lfs_is_not_compared(project: DbtProject) -> None:
    nodes = json.loads((PAIR / "before.json").read_text())["nodes"]
    seed = {"resource_type": "seed", "name": "big", "package_name": "marts", "original_file_path": "seeds/big.csv"}
    nodes["seed.marts.big"] = {**seed, "checksum": {"name": "sha256", "checksum": "0" * 64}}
    project.work.put("dbt/seeds/big.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")
    project.work.commit()
    project.work.run_git("checkout", "--quiet", "-B", "main")
    project.compile("before", project.check_out_base(), nodes=nodes)
    project.compile("before", nodes=nodes)
    assert check_with_base(project).code == 0
    project.work.put("dbt/seeds/big.csv", "a,b\n1,2\n")
    assert_refused(check_with_base(project), "seeds/big.csv has changed")


def test_a_manifest_that_is_kept_beside_its_project(project: DbtProject) -> None:
    work = project.work
    work.put("mesh.yaml", (work.root / "mesh.yaml").read_text().replace("dbt/target", "artifacts"))
    work.put("artifacts/manifest.json", project.compile("before").read_bytes())
    work.commit()
    work.run_git("checkout", "--quiet", "-B", "main")
    assert check_against_main().code == 0
    project.remove_column()
    assert_refused(
        check_against_main(),
        "artifacts/manifest.json: it was not made from the files that are there: models/staging/stg_payments.sql has changed",
    )
    work.run_git("rm", "--quiet", "-r", "--force", "dbt")
    work.commit()
    ran = check_against_main()
    assert ran.code == 0
    assert "artifacts/manifest.json: its dbt_project.yml is not in the repository" in ran.out


def test_a_project_that_moves_is_compared_with_what_it_was(project: DbtProject) -> None:
    project.compile("before", project.check_out_base())
    work = project.work
    work.run_git("mv", "dbt", "transform")
    work.put("mesh.yaml", (work.root / "mesh.yaml").read_text().replace("dbt/target", "transform/target"))
    project.compile("before", after=-60).parent.rename(work.root / "transform/target")
    (work.root / "dbt").rmdir()
    ran = check_with_base(project)
    assert (ran.code, ran.out.partition(";")[0]) == (0, "COMPATIBLE: nothing that matters has changed (2 inputs compared)")
    work.put("transform/models/models.yml", "models: []")
    assert_refused(check_with_base(project), "models/models.yml is newer")


def test_a_manifest_of_another_project_is_2(project: DbtProject) -> None:
    project.compile("before", project.check_out_base())
    manifest = json.loads((PAIR / "before.json").read_text())
    project.compile("before", metadata={**manifest["metadata"], "project_name": "other"}, after=0)
    assert_refused(check_with_base(project), "it is of another project than marts")
