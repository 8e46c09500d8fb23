"""The orders team's expectations of its export, run with Great Expectations: `expectations.py PARQUET_FILE RESULT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import great_expectations as gx
import pandas as pd

SUITE = "customer_orders_suite"


def main(parquet: Path, result: Path) -> None:
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("finance_exports").add_dataframe_asset("customer_orders")
    batch = asset.add_batch_definition_whole_dataframe("export")
    suite = context.suites.add(gx.ExpectationSuite(name=SUITE))
    for expectation in (
        gx.expectations.ExpectColumnValuesToBeUnique(column="order_id"),
        gx.expectations.ExpectColumnValuesToNotBeNull(column="buyer_key"),
        gx.expectations.ExpectColumnValuesToBeBetween(column="total_amount", min_value=0.01, max_value=1_000_000),
        gx.expectations.ExpectColumnValuesToBeInSet(column="currency", value_set=["USD", "EUR", "GBP"]),
        gx.expectations.ExpectColumnValuesToBeInSet(column="status", value_set=["confirmed", "shipped", "delivered"]),
    ):
        suite.add_expectation(expectation)
    validation = gx.ValidationDefinition(name="customer_orders", data=batch, suite=suite)
    done = validation.run(batch_parameters={"dataframe": pd.read_parquet(parquet)})
    result.write_text(json.dumps(done.to_json_dict(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
