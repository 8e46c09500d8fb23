"""The address from which messages advise to install more of meshline."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from meshline.distribution import build_requirement, find_missing, install_command, list_extras
from meshline.errors import MissingExtra, require_extra

METADATA = """\
Metadata-Version: 2.4
Name: meshline
Version: 0.1.0
Project-URL: Repository, https://git.example.com/mesh/meshline
Provides-Extra: glue
Provides-Extra: sql
Requires-Dist: numpy>=2
Requires-Dist: lake[aws,gcp]<2,>=1; extra == 'glue'
Requires-Dist: sqlglot>=30; extra == 'sql'
"""
LAKE = """\
Metadata-Version: 2.4
Name: lake
Version: 1.0
Provides-Extra: aws
Requires-Dist: boto-of-tests>=1; python_version >= "3.8" and extra == "aws"
Requires-Dist: hive-of-tests; extra == "hive"
"""
RELEASED = "git+https://git.example.com/mesh/meshline@v0.1.0"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose meshline is found first; the path of its record of where it came from."""
    for name, text in (("meshline-0.1.0", METADATA), ("lake-1.0", LAKE)):
        folder = tmp_path / f"{name}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "meshline-0.1.0.dist-info" / "direct_url.json"


@pytest.mark.parametrize(
    ("record", "address"),
    [
        (None, RELEASED),  # from an index, or from nowhere that is known
        (
            {"url": "https://git.company.com/x.git", "vcs_info": {"vcs": "git", "commit_id": "0abc"}},
            "git+https://git.company.com/x.git@0abc",
        ),
        (
            {"url": "ssh://git@h/x", "vcs_info": {"vcs": "git", "commit_id": "0abc", "requested_revision": "v0.1.0"}},
            "git+ssh://git@h/x@v0.1.0",
        ),
        ({"url": "https://ann:secret@h/x", "vcs_info": {"vcs": "git", "commit_id": "0abc"}}, "git+https://h/x@0abc"),
        ({"url": "file:///nowhere/meshline", "dir_info": {}}, RELEASED),  # an image is built from a folder that it does not have
        ({"url": 5, "vcs_info": 7}, RELEASED),
        ([], RELEASED),
    ],
)
def test_the_address_is_where_it_came_from(site: Path, record: Any, address: str) -> None:
    if record is not None:
        site.write_text(json.dumps(record), "utf-8")
    assert build_requirement("sql", "glue") == f"meshline[sql,glue] @ {address}"
    assert install_command() == f"pip install 'meshline @ {address}'"


def test_an_existing_folder_is_the_address(site: Path, tmp_path: Path) -> None:
    site.write_text(json.dumps({"url": tmp_path.as_uri(), "dir_info": {"editable": True}}), "utf-8")
    assert build_requirement() == f"meshline @ {tmp_path.as_uri()}"


def test_without_metadata_there_is_no_address(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.parent.exists()
    monkeypatch.setattr("meshline.distribution.NAME", "meshline-of-tests")
    assert build_requirement("sql") == "meshline-of-tests[sql]"
    assert list_extras() == {}


def test_libraries_of_extras(site: Path) -> None:
    assert site.parent.exists()
    assert list_extras() == {"glue": ("boto-of-tests", "lake"), "sql": ("sqlglot",)}
    assert find_missing(("boto-of-tests", "lake")) == ("boto-of-tests",)


def test_a_module_of_ours_that_is_missing_is_no_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError), require_extra("sql", "reading SQL"):
        import_module("meshline.nowhere")
    with (
        pytest.raises(MissingExtra, match=r"^reading SQL needs the extra 'sql': pip install 'meshline\[sql\] @ "),
        require_extra("sql", "reading SQL"),
    ):
        import_module("nowhere_of_tests")
