"""Orders for readers of Delta, as `../trino/customer_orders.sql` writes them: `publish.py CATALOG_URL WAREHOUSE FOLDER`."""

from __future__ import annotations

import sys

from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog import load_catalog

COLUMNS = ("order_id", "customer_id", "total_amount", "currency", "status", "created_at")


def main(url: str, warehouse: str, folder: str) -> None:
    catalog = load_catalog("lake", type="rest", uri=url, warehouse=warehouse)
    orders = catalog.load_table("orders.customer_orders").scan(row_filter="status <> 'pending'", selected_fields=COLUMNS).to_arrow()
    is_new = not DeltaTable.is_deltatable(folder)
    write_deltalake(folder, orders, mode="overwrite", name="customer_orders", description="Orders that are paid, every night anew.")
    if is_new:
        DeltaTable(folder).alter.add_constraint({"positive_amount": "total_amount >= 0.01"})


if __name__ == "__main__":
    main(*sys.argv[1:])
