"""Three suppliers with fixed prices, and a credit check."""

from __future__ import annotations

from typing import Any

from statewright import TaskError, task

PRICES = {"north": {"lamp": 31, "desk": 180}, "south": {"lamp": 28}, "west": {"lamp": 35, "desk": 175}}


@task("check-credit")
def check_credit(request: dict[str, Any]) -> Any:
    """Everybody has credit but mallory."""
    return {"customer": request["customer"], "granted": request["customer"] != "mallory"}


@task("ask-supplier")
def ask_supplier(request: dict[str, Any]) -> Any:
    """The supplier's price; NotInStock where it has none."""
    supplier, article = request["supplier"], request["article"]
    price = PRICES.get(supplier, {}).get(article)
    if price is None:
        raise TaskError("NotInStock", f"{supplier} has no {article}")
    return {"supplier": supplier, "price": price}


@task("choose-cheapest")
def choose_cheapest(quotes: list[dict[str, Any]]) -> Any:
    """The quote with the lowest price."""
    return min(quotes, key=lambda quote: quote["price"])
