"""Products in a table.  Saving the same row twice changes nothing, so a batch that is repeated does no harm."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from statewright import TaskError, task


@task("save-products")
def save_products(batch: dict[str, Any]) -> Any:
    """Save the rows of one batch, all or none; BadRow where a price is none."""
    rows = [(row["sku"], row["name"], _price(row)) for row in batch["Items"]]
    path = Path(".statewright/products.sqlite")
    path.parent.mkdir(exist_ok=True)
    try:
        with closing(sqlite3.connect(path)) as table, table:
            table.execute("create table if not exists products (sku text primary key, name text, price integer)")
            table.executemany("insert or replace into products values (?, ?, ?)", rows)
    except sqlite3.OperationalError as error:
        raise TaskError("DatabaseBusy", str(error)) from error
    return {"saved": len(rows), "file": batch["BatchInput"]["file"]}


def _price(row: dict[str, Any]) -> int:
    if not str(row["price"]).isdecimal():
        raise TaskError("BadRow", f"line {row['line']}: '{row['price']}' is no price")
    return int(row["price"])
