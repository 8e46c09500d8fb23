"""One application of Spark, from its start to its end, on this machine. Standard library only; needs Java 17 and Maven.

spark_application.run("silver", jars, {"spark.sql.session.timeZone": "UTC"}, ["silver.py", "argument"], work)
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import venvs
from process import ServerError, report

HERE = Path(__file__).resolve().parent
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
}


def run(name: str, jars: Path, settings: Mapping[str, str], program: Sequence[str], work: Path) -> None:
    """Run a program with its arguments; the log is `NAME.log` in `work`. Raises ServerError with the end of the log if it fails."""
    environment = venvs.ensure_environment("spark", HERE / "spark" / "requirements.txt")
    python, log = environment / "bin" / "python", work / f"{name}.log"
    show = [python, "-c", "import pyspark; print(pyspark.__path__[0])"]
    home = subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()
    command = [f"{home}/bin/spark-submit", "--master", "local[1]", "--driver-memory", "1g"]
    command += ["--jars", ",".join(map(str, sorted(jars.glob("*.jar"))))]
    command += ["--driver-java-options", "--add-opens=java.base/java.security=ALL-UNNAMED -XX:+UseSerialGC"]
    command += [part for key, value in {**SETTINGS, **settings}.items() for part in ("--conf", f"{key}={value}")]
    places = {"SPARK_HOME": home, "PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
    env = {**os.environ, **places, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    begun = time.monotonic()
    with log.open("wb") as out:
        done = subprocess.run([*command, *program], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=work, check=False)
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ServerError(f"{name} ended with {done.returncode}; {log} ends with:\n{last}")
    report(f"{name} is done in {time.monotonic() - begun:.0f} s")
