"""A program that sends events with OpenLineage's client for Java. Standard library only; needs a JDK 17 and Maven.

openlineage_java.send_events(home, settings)    # `settings`: the text of openlineage.yml
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import iceberg_rest
import maven
import process

HERE = Path(__file__).resolve().parent / "openlineage-java"
MAIN = HERE / "SendEvents.java"
JAVA_FLAGS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def send_events(home: Path, settings: str, seconds: float = process.PATIENCE) -> str:
    """Send the events; return what the program wrote. Raises ServerError if it ends with an error, or logs one."""
    iceberg_rest.require_compiler()
    jars = maven.ensure_jars("openlineage-java", HERE / "pom.xml")
    config = home / "openlineage.yml"
    config.write_text(settings)
    command = [maven.find_java(), *JAVA_FLAGS, "-cp", f"{jars}/*", str(MAIN)]
    environment = {**os.environ, "OPENLINEAGE_CONFIG": str(config)}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=seconds, check=False)
    if done.returncode or " ERROR " in done.stderr:
        raise process.ServerError(f"the program ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stderr
