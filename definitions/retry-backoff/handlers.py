"""A rate service that is busy for as many attempts as the input says."""

from __future__ import annotations

from typing import Any

from statewright import TaskContext, TaskError, task


@task("fetch-rates")
def fetch_rates(request: dict[str, Any], context: TaskContext) -> Any:
    """Rates, after `busy` refusals; `context.attempt` counts the retries so far."""
    if context.attempt < request.get("busy", 0):
        raise TaskError("ServiceUnavailable", f"busy, attempt {context.attempt + 1}")
    return {"rates": {"EUR": 1, "USD": 1.08}, "stale": False}
