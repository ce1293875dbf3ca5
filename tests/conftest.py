"""What tests of several rooms share: coroutines as tests, one embedded server, properties without deadlines."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Iterator

import hypothesis
import pytest

from statewright.store import start_embedded, stop_embedded

# How long an example takes says most of the machine it runs on; hostile inputs have tests of their own.
hypothesis.settings.register_profile(
    "statewright",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize="STATEWRIGHT_EXAMPLES" not in os.environ,  # the same examples each time, unless more are asked for
)
hypothesis.settings.load_profile("statewright")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run coroutine functions, each in a loop of its own, in which fixtures with a coroutine `close` are closed."""
    function = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(function).parameters}

    async def main() -> None:
        try:
            async with asyncio.timeout(30):
                await function(**arguments)
        finally:
            for argument in arguments.values():
                if inspect.iscoroutinefunction(close := getattr(argument, "close", None)):
                    await close()

    asyncio.run(main())
    return True


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an embedded server; tests share it, so they use names of their own for what they make."""
    data_dir = tmp_path_factory.mktemp("store")
    yield asyncio.run(start_embedded(data_dir))
    asyncio.run(stop_embedded(data_dir))
