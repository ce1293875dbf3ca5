"""Real servers, for the comparison."""

from __future__ import annotations

from tests.store.conftest import server

__all__ = ["server"]
