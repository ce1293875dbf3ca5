"""A carrier that takes up to 30 kg, and a printer of labels."""

from __future__ import annotations

from typing import Any

from statewright import TaskError, task


@task("book-carrier")
def book_carrier(parcel: dict[str, Any]) -> Any:
    """The carrier; TooHeavy for more than 30 kg."""
    if parcel["kg"] > 30:
        raise TaskError("TooHeavy", f"{parcel['parcel']} weighs {parcel['kg']} kg")
    return {"carrier": "bicycle" if parcel["kg"] < 5 else "van"}


@task("print-label")
def print_label(parcel: dict[str, Any]) -> Any:
    """The label's text."""
    return {"label": f"{parcel['carrier']}/{parcel['parcel']}"}
