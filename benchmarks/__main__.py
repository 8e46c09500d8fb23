"""`scripts/bench [NAME...] [--quick | --full]`: run benchmarks, print the tables, write the figures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import table
from benchmarks.catalog import BENCHMARKS
from benchmarks.figures import Record, read_figures, write_figures
from benchmarks.measuring import run_apart
from benchmarks.meshes import Meshes, compute_code_digest
from benchmarks.page import FULL, build_benchmarks_page
from benchmarks.scale_page import SCALE_PAGE, build_scale_page
from benchmarks.sizes import Size

ROOT = Path(__file__).resolve().parent.parent
QUICK = ROOT / ".cache" / "bench" / "quick.json"
PAGE = ROOT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse_options(arguments)
    size = Size.FULL if options.full else Size.QUICK
    with tempfile.TemporaryDirectory(prefix="meshline-bench-", ignore_cleanup_errors=True) as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        meshes = Meshes(folder, compute_code_digest())
        records: list[Record] = []
        try:
            for name in options.names or BENCHMARKS:
                records.append(run_apart(name, size, meshes))
                _write(records[-1], size)  # at once: all of them take hours, and one may fail
        finally:
            meshes.stop()
    table.show_figures(records)
    goals = [figure for record in records for figure in record.figures if figure.goal is not None]
    print(f"bench: {sum(figure.reached is True for figure in goals)} of {len(goals)} goals reached")
    return 0


def _parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Run benchmarks, each against a reference in the same run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(BENCHMARKS)} (default: all)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes, all in a few minutes (default)")
    size.add_argument("--full", action="store_true", help="up to a million columns; writes benchmarks/full.json and the pages made from it")
    parser.add_argument("--folder", type=Path, help="keep the generated stores here, for the next run of the same code")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    return options


def _write(record: Record, size: Size) -> None:
    """The record in place of the file's older one, and the pages that are made from the file."""
    path = FULL if size is Size.FULL else QUICK
    known = {other.benchmark: other for other in [*read_figures(path), record]}
    write_figures(path, [known[name] for name in BENCHMARKS if name in known])
    if size is Size.FULL:
        PAGE.write_text(build_benchmarks_page(), encoding="utf-8")
        SCALE_PAGE.write_text(build_scale_page(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
