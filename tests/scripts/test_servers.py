"""The scripts that start real servers: their messages when a program is missing, and the cache of jars."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import SCRIPT, Neo4jServer

SERVERS = SCRIPT.parent


@pytest.fixture
def bin_(tmp_path: Path) -> Path:
    """A PATH with nothing but what a test puts there (and what its scripts need)."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "mkdir", "sleep", "cat"):
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    return folder


def write_tool(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def build_environment(bin_: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"JAVA_HOME", "PATH"}}
    return {**kept, "PATH": str(bin_), "MESHLINE_CACHE": str(bin_.parent / "cache")}


def fail_to_start(bin_: Path, home: Path, **more: str) -> str:
    """The message of the script, which cannot start."""
    command = [sys.executable, str(SCRIPT), "start", "--home", str(home)]
    done = subprocess.run(command, env={**build_environment(bin_), **more}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


JARS = "import sys; sys.path.insert(0, sys.argv[1]); import maven, pathlib; print(maven.ensure_jars('example', pathlib.Path(sys.argv[2])))"
GOOD_JAVA = "echo 'openjdk version \"21.0.2\" 2024-01-16' >&2"
NEWER = "import sys; sys.path.insert(0, sys.argv[1]); import maven; maven.JAVA_FOLDERS = sys.argv[2:]; print(maven.find_newer_java(24))"
GOOD_MAVEN = """
echo run >> "$MESHLINE_CACHE/../runs"
sleep 0.3
for argument; do case $argument in -DoutputDirectory=*) folder=${argument#*=};; esac; done
mkdir -p "$folder"
: > "$folder/a.jar"
"""


def fetch_jars(bin_: Path, pom: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", JARS, str(SERVERS), str(pom)],
        env=build_environment(bin_),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_missing_java_is_named(bin_: Path, tmp_path: Path) -> None:
    assert re.fullmatch(
        r"neo4j: Java 17 or newer is missing \(no java is on the PATH\): install .*\n", fail_to_start(bin_, tmp_path / "home")
    )
    assert "JAVA_HOME=/nowhere has no bin/java" in fail_to_start(bin_, tmp_path / "home", JAVA_HOME="/nowhere")


@pytest.mark.parametrize(("line", "version"), [('java version "1.8.0_402"', "8.0_402"), ('openjdk version "11.0.22" 2024', "11.0.22")])
def test_an_old_java_is_named(bin_: Path, tmp_path: Path, line: str, version: str) -> None:
    write_tool(bin_, "java", f"echo '{line}' >&2")
    assert f"Java 17 or newer is missing ({bin_}/java is {version})" in fail_to_start(bin_, tmp_path / "home")


def test_a_missing_maven_is_named(bin_: Path, tmp_path: Path) -> None:
    write_tool(bin_, "java", GOOD_JAVA)
    assert (
        fail_to_start(bin_, tmp_path / "home") == "neo4j: Maven is missing (no mvn is on the PATH): install it, e.g. `apt install maven`.\n"
    )


def test_messages_of_maven_are_shown_and_no_jar_is_kept(bin_: Path, tmp_path: Path) -> None:
    write_tool(bin_, "java", GOOD_JAVA)
    write_tool(bin_, "mvn", "echo '[ERROR] no such host'; exit 1")
    assert "[ERROR] no such host" in fail_to_start(bin_, tmp_path / "home")
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_jars_are_fetched_once_for_all_callers_and_again_for_another_pom(bin_: Path, tmp_path: Path) -> None:
    write_tool(bin_, "java", GOOD_JAVA)
    write_tool(bin_, "mvn", GOOD_MAVEN)
    pom = tmp_path / "pom.xml"
    pom.write_text("<project/>")
    at_once = [fetch_jars(bin_, pom) for _ in range(3)]
    folders = {process.communicate()[0].strip() for process in at_once}
    assert len(folders) == 1
    assert [file.name for file in Path(folders.pop()).iterdir()] == ["a.jar"]
    pom.write_text("<project><!-- another --></project>")
    fetch_jars(bin_, pom).communicate()
    assert (tmp_path / "runs").read_text() == "run\n" * 2
    folders_made = [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert len(folders_made) == 2, "and nothing half done"


@pytest.mark.server
def test_a_start_gives_the_server_that_runs_already(own_neo4j: Neo4jServer) -> None:
    assert own_neo4j.home is not None
    command = [sys.executable, str(SCRIPT), "start", "--home", str(own_neo4j.home)]
    server = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert server["url"] == own_neo4j.url
    assert stat.S_IMODE((own_neo4j.home / "server.json").stat().st_mode) == 0o600
    assert Path(server["log"]).exists()
    sockets = {str(fd.readlink()) for fd in Path(f"/proc/{server['pid']}/fd").iterdir() if fd.is_symlink()}
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{server['pid']}/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and f"socket:[{line.split()[9]}]" in sockets
    ]
    assert len(listening) == 1
    assert listening[0].rpartition(":")[0] in {"0100007F", "0000000000000000FFFF00000100007F"}, "loopback only"


def test_stopping_what_does_not_run_is_no_failure(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "stop", "--home", str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"stopped": False}


def find_newer_java(bin_: Path, *folders: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Look for a Java 24 on the PATH, in the environment, and in these folders of the system."""
    command = [sys.executable, "-c", NEWER, str(SERVERS), *(str(folder)[1:] for folder in folders)]
    return subprocess.run(command, env={**build_environment(bin_), **more}, capture_output=True, text=True, check=False)


def test_a_newer_java_is_found_wherever_it_is(bin_: Path, tmp_path: Path) -> None:
    write_tool(bin_, "java", GOOD_JAVA)
    newer = tmp_path / "jvm" / "jdk-25" / "bin"
    newer.mkdir(parents=True)
    write_tool(newer, "java", GOOD_JAVA.replace("21.0.2", "25"))
    (tmp_path / "jvm" / "no-jdk").mkdir()
    assert find_newer_java(bin_, tmp_path / "jvm" / "*").stdout == f"{newer / 'java'}\n"
    assert find_newer_java(bin_, JAVA_25_HOME=str(newer.parent)).stdout == f"{newer / 'java'}\n"
    missing = find_newer_java(bin_, JAVA_11_HOME=str(tmp_path))
    assert missing.returncode == 1
    assert missing.stderr.endswith(
        f"Java 24 or newer is missing ({bin_ / 'java'} is 21.0.2): install a JDK, or set JAVA_24_HOME to the folder of one.\n"
    )
    (bin_ / "java").unlink()
    assert "missing (there is no other): install" in find_newer_java(bin_).stderr
