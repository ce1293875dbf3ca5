"""What tests of several rooms share: one embedded server per session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from statewright.store import start_embedded, stop_embedded


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an embedded server; tests share it, so they use names of their own for what they make."""
    data_dir = tmp_path_factory.mktemp("store")
    yield asyncio.run(start_embedded(data_dir))
    asyncio.run(stop_embedded(data_dir))
