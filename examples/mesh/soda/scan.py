"""Finance's checks of its mart, run with Soda: `scan.py FOLDER_OF_PARQUET_FILES RESULT`, each file a table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
from soda.scan import Scan

HERE = Path(__file__).resolve().parent


def main(tables: Path, result: Path) -> None:
    database = duckdb.connect()
    for file in sorted(tables.glob("*.parquet")):
        database.execute(f"create table {file.stem} as select * from read_parquet('{file}')")
    scan = Scan()
    scan.set_scan_definition_name("finance_marts")
    scan.set_data_source_name("marts")
    scan.add_duckdb_connection(database, "marts")
    scan.add_sodacl_yaml_file(str(HERE / "revenue_daily.yml"))
    scan.execute()
    result.write_text(json.dumps(scan.build_scan_results(), indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
