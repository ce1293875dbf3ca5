"""The shop's side of the order: what each task does, once per order however often it is asked.

The engine runs a handler at least once per task: after a crash the same task runs again, with the same idempotency key.
Here every effect is a row of a SQLite ledger whose primary key is that key, written in one transaction: the second run
finds the row and answers what the first run answered.  A payment provider's or carrier's API does the same when it is
given the key.

`ORDER_LEDGER` names the ledger's file.  ``python handlers.py`` prints it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from statewright import Engine, TaskContext, TaskError, task

Order = dict[str, Any]

SCHEMA = """
create table if not exists effects (
  number integer primary key, key text not null unique, order_id text not null, effect text not null,
  result text not null)
"""


@contextmanager
def ledger() -> Iterator[sqlite3.Connection]:
    """The ledger, in a transaction that other processes wait for."""
    path = Path(os.environ.get("ORDER_LEDGER", ".statewright/order-ledger.sqlite"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        connection.execute(SCHEMA)
        with connection:
            yield connection


def once(key: str, order_id: str, effect: str, make: Callable[[sqlite3.Connection], Any]) -> Any:
    """Do `make` and keep its result under `key`, unless that was done before; the result."""
    with ledger() as connection:
        row = connection.execute("select result from effects where key = ?", (key,)).fetchone()
        if row:
            return json.loads(row[0])
        result = make(connection)
        connection.execute(
            "insert into effects (key, order_id, effect, result) values (?, ?, ?, ?)",
            (key, order_id, effect, json.dumps(result)),
        )
        return result


def undo(key: str, order: Order, effect: str, compensation: str) -> Any:
    """Compensate `effect` of the order if it happened; say whether there was anything to undo."""

    def make(connection: sqlite3.Connection) -> Any:
        found = connection.execute(
            "select result from effects where order_id = ? and effect = ?", (order["orderId"], effect)
        ).fetchone()
        return {"undone": json.loads(found[0])} if found else {"undone": None}

    return once(key, order["orderId"], compensation, make)


@task("charge-payment")
def charge_payment(order: Order, context: TaskContext) -> Any:
    """Take the money; PaymentDeclined for amounts above 10,000."""
    amount = order["amount"]
    if amount["value"] > 1_000_000:
        raise TaskError("PaymentDeclined", f"{amount['value'] / 100:.2f} {amount['currency']} is above the limit")
    charge = {"charge": f"ch-{context.idempotency_key[:12]}", **amount}
    return once(context.idempotency_key, order["orderId"], "charged", lambda _: charge)


@task("refund-payment")
def refund_payment(order: Order, context: TaskContext) -> Any:
    """Give the money back."""
    return undo(context.idempotency_key, order, "charged", "refunded")


@task("reserve-inventory")
def reserve_inventory(order: Order, context: TaskContext) -> Any:
    """Set the items aside; OutOfStock for more than 100 of one kind."""
    for item in order["items"]:
        if item["quantity"] > 100:
            raise TaskError("OutOfStock", f"{item['quantity']} x {item['sku']} asked for, 100 there")
    reserved = {"reservation": f"rs-{context.idempotency_key[:12]}"}
    return once(context.idempotency_key, order["orderId"], "reserved", lambda _: reserved)


@task("release-inventory")
def release_inventory(order: Order, context: TaskContext) -> Any:
    """Put the items back on the shelf."""
    return undo(context.idempotency_key, order, "reserved", "released")


@task("create-label")
def create_label(order: Order, context: TaskContext) -> Any:
    """Buy a shipping label."""
    label = {"label": f"lb-{context.idempotency_key[:12]}"}
    return once(context.idempotency_key, order["orderId"], "labelled", lambda _: label)


@task("cancel-label")
def cancel_label(order: Order, context: TaskContext) -> Any:
    """Cancel the shipping label."""
    return undo(context.idempotency_key, order, "labelled", "label cancelled")


@task("request-pickup")
def request_pickup(request: dict[str, Any], context: TaskContext) -> None:
    """Hand the task token to the warehouse.

    The token is written to `pickups/<order>.token` beside the ledger, for ``statewright send-success``.  An order with
    ``"pickup": "auto"`` is answered at once, as a warehouse with a program would do it.
    """
    order = request["order"]
    once(context.idempotency_key, order["orderId"], "pickup requested", lambda _: None)
    path = Path(os.environ.get("ORDER_LEDGER", ".statewright/order-ledger.sqlite")).parent / "pickups"
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{order['orderId']}.token").write_text(request["token"])
    if order.get("pickup") == "auto":
        with Engine(os.environ.get("STATEWRIGHT_STORE"), data_dir=os.environ.get("STATEWRIGHT_DATA_DIR")) as engine:
            engine.send_task_success(request["token"], {"collectedBy": "van 7"})


@task("confirm-order")
def confirm_order(order: Order, context: TaskContext) -> Any:
    """Tell the customer."""
    message = {"to": order["customer"], "text": f"Order {order['orderId']} is on its way"}
    return once(context.idempotency_key, order["orderId"], "confirmed", lambda _: message)


if __name__ == "__main__":
    with ledger() as rows:
        for row in rows.execute("select number, order_id, effect, result from effects order by number"):
            print("{:>4}  {:<8} {:<18} {}".format(*row))
