"""A real Hive metastore over Derby and a folder, on loopback. Standard library only; needs Java 17 and Maven.

    with hive_server.serve(home) as metastore:
        metastore.uri          # thrift://127.0.0.1:PORT
        metastore.warehouse    # the folder of the tables
    with hive_server.serve(home, pyspark / "jars") as metastore:    # the older one that Spark brings along

As a command, `python hive_server.py HOME` serves until SIGINT or SIGTERM and prints the URI. A start takes 15 to 30 seconds.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import maven
import process

HERE = Path(__file__).resolve().parent / "hive-metastore"
MAIN = "org.apache.hadoop.hive.metastore.HiveMetaStore"
JAVA_FLAGS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Metastore:
    uri: str
    warehouse: Path
    process: subprocess.Popen[bytes]
    log: Path


def start(home: Path, jars: Path | None = None) -> Metastore:
    """Start a metastore whose database, warehouse and log are kept in `home`; return once it answers. `jars`: a folder with those of
    another version.
    """
    jars = jars or maven.ensure_jars("hive-metastore", HERE / "pom.xml")
    warehouse = home / "warehouse"
    warehouse.mkdir(parents=True, exist_ok=True)
    for name in ("metastore-site.xml", "hive-site.xml"):  # the latter is read by version 2
        (home / name).write_text(build_config(home, warehouse))
    log = home / "hive-metastore.log"
    port = process.find_free_port()
    command = [maven.find_java(), *JAVA_FLAGS, f"-Dderby.stream.error.file={home / 'derby.log'}", "-cp", f"{home}:{jars}/*", MAIN]
    started = process.start([*command, "-p", str(port)], log, cwd=home)
    process.wait_until_ready(started, lambda: is_answering(port), log)
    return Metastore(f"thrift://127.0.0.1:{port}", warehouse, started, log)


def build_config(home: Path, warehouse: Path) -> str:
    """The text of metastore-site.xml: an embedded database, made at the first start, and nothing that runs in the background."""
    properties = {
        **dict.fromkeys(("metastore.thrift.bind.host", "hive.metastore.thrift.bind.host"), "127.0.0.1"),
        **dict.fromkeys(("metastore.warehouse.dir", "hive.metastore.warehouse.dir"), warehouse.as_uri()),
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={home / 'database'};create=true",
        "javax.jdo.option.ConnectionDriverName": "org.apache.derby.jdbc.EmbeddedDriver",
        "datanucleus.schema.autoCreateAll": "true",
        **dict.fromkeys(("metastore.schema.verification", "hive.metastore.schema.verification"), "false"),
        "hive.async.log.enabled": "false",  # a library for that is not among Spark's jars
        "metastore.task.threads.always": "org.apache.hadoop.hive.metastore.events.EventCleanerTask",
        "metastore.expression.proxy": "org.apache.hadoop.hive.metastore.DefaultPartitionExpressionProxy",
    }
    rows = "".join(f"<property><name>{name}</name><value>{escape(text)}</value></property>\n" for name, text in properties.items())
    return f"<configuration>\n{rows}</configuration>\n"


def is_answering(port: int) -> bool:
    """Whether the metastore answers getStatus of Thrift's fb303, as it does once it takes requests."""
    name = b"getStatus"
    call = b"\x80\x01\x00\x01" + len(name).to_bytes(4, "big") + name + (1).to_bytes(4, "big") + b"\x00"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(call)
            return connection.recv(4)[:2] == b"\x80\x01"
    except OSError:
        return False


@contextmanager
def serve(home: Path, jars: Path | None = None) -> Iterator[Metastore]:
    with process.stop_at_end(start(home, jars), MAIN) as server:
        yield server


if __name__ == "__main__":
    sys.exit(process.run_command("hive_server", serve, lambda served: served.uri))
