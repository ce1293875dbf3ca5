"""Real servers, for the comparison."""

from __future__ import annotations

import pytest

from tests.store.conftest import server

__all__ = ["server"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The simulated server is not compared with itself."""
    items[:] = [item for item in items if not ("test_fidelity.py" in item.nodeid and "[simulated" in item.nodeid)]
