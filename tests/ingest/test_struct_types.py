"""Threads that meet a type for the first time together: msgspec would end the process."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
import msgspec
from meshline.struct_types import prepare_struct_types

sys.setswitchinterval(1e-6)
body = msgspec.json.encode({f"a{i}": {f"f{i}": 1} for i in range(20)})
for number in range(150):
    inner = [msgspec.defstruct(f"Inner{i}", [(f"f{j}", int | None, None) for j in range(20)]) for i in range(20)]
    outer = msgspec.defstruct("Outer", [(f"a{i}", inner[i] | None, None) for i in range(20)])
    prepare_struct_types()
    together = threading.Barrier(4)

    def decode():
        together.wait()
        msgspec.json.decode(body, type=outer)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_types_that_are_prepared_are_safe_in_threads() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
