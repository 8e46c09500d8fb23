"""Flink SQL jobs in a real Flink without Docker: a cluster in one process of Java. Standard library only; needs a JDK 17 and Maven.

    flink.run_jobs(home, settings, {"kafka": "127.0.0.1:9092", "database": "127.0.0.1:5432", "user": ..., "password": ...})

`settings`: those of config.yaml. The jobs are those of flink/jobs; files go to folders of `home`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path

import iceberg_rest
import maven
import process

HERE = Path(__file__).resolve().parent / "flink"
MAIN = HERE / "RunScripts.java"
JOBS = (
    "fill_orders",
    "paid_orders",
    "split_orders",
    "count_states",
    "store_amounts",
    "enrich_orders",
    "enrich_payments",
    "live_orders",
    "broken_orders",
)
TOPICS = ("shop.orders", "shop.paid", "shop.amounts", "shop.live", "orders.enriched", "payments.enriched")
JAVA_FLAGS = ("-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
OPENED = (
    "java.base/java.util=ALL-UNNAMED",
    "java.base/java.lang=ALL-UNNAMED",
    "java.base/java.time=ALL-UNNAMED",
)  # as Flink's own scripts do
CONFIG = {
    "execution.checkpointing.interval": "1s",
    "openlineage.trackingIntervalInSeconds": 3,  # how often a stream reports its checkpoints
    "restart-strategy.type": "none",  # a job that fails does so at once
}
ENDLESS = "live_orders"  # is cancelled after SECONDS; any other job after LONGEST, which is an error
SECONDS, LONGEST = 15, 600


def run_jobs(home: Path, settings: str, places: Mapping[str, str], seconds: float = 2 * process.PATIENCE) -> None:
    """Run the jobs one after the other. The topics that they read exist."""
    iceberg_rest.require_compiler()
    jars = maven.ensure_jars("flink", HERE / "pom.xml")
    (home / "conf").mkdir(parents=True, exist_ok=True)
    port = process.find_free_port()
    of_machine = {"rest.address": "127.0.0.1", "rest.bind-address": "127.0.0.1", "rest.port": port, "rest.bind-port": port}
    texts = [settings, *(f"{name}: {value}\n" for name, value in (CONFIG | of_machine).items())]
    (home / "conf" / "config.yaml").write_text("".join(texts))
    scripts: list[str] = []
    for name in JOBS:
        script = home / f"{name}.sql"
        script.write_text(string.Template((HERE / "jobs" / script.name).read_text()).substitute(places, folder=home.as_posix()))
        scripts += [str(SECONDS if name == ENDLESS else LONGEST), str(script)]
    flags = [*JAVA_FLAGS, *(f"--add-opens={one}" for one in OPENED)]
    command = [maven.find_java(), *flags, "-cp", f"{jars}/*", str(MAIN), str(home / "conf"), *scripts]
    log = home / "flink.log"
    process.run_tool("Flink", command, log, {}, home, seconds)
