"""Which store a command talks to, and how it is opened.

The options `--store`, `--data-dir`, `--durability`, `--profile` and `--json`, and `--objects` of commands that work on
executions, may stand before or after the name of the command.
"""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from statewright import AsyncEngine

__all__ = ["Settings", "asynchronous", "connect", "load_handlers", "settings_options", "tell_handlers"]

P = ParamSpec("P")
T = TypeVar("T")
DATA_DIR = ".statewright"
PROFILE = "aws"
PATIENCE = 3


@dataclass(slots=True)
class Settings:
    """What the options say, for the whole command.

    Arguments:
        store: URL of a Redis or Valkey server; None: the private server of `data_dir`.
        data_dir: where the private server keeps its data.
        durability: what acknowledged work survives (see `AsyncEngine`); None: as the URL says, or durable.
        profile: whose limits count, ``aws`` or ``statewright``.
        objects: where distributed Maps read items from and write results to: a directory or an S3 URL; None: nowhere.
        json: answer with JSON on stdout.
    """

    store: str | None = None
    data_dir: str = DATA_DIR
    durability: str | None = None
    profile: str = PROFILE
    objects: str | None = None
    json: bool = False


def settings_options(environment: bool = False, works: bool = False) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """The options of `Settings`, which end up in the context's `Settings` object.

    Arguments:
        environment: take defaults from STATEWRIGHT_STORE, STATEWRIGHT_DATA_DIR, STATEWRIGHT_DURABILITY,
            STATEWRIGHT_PROFILE and STATEWRIGHT_OBJECTS (only where the command starts, so that an option always wins).
        works: also ``--objects``, for commands that work on executions.
    """

    def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None and value is not False:
            setattr(context.ensure_object(Settings), str(parameter.name), value)

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        kept: dict[str, Any] = {"callback": keep, "expose_value": False}
        store = (
            "Redis or Valkey: redis://HOST:PORT/DB, rediss://… (TLS), unix://PATH, cluster://HOST:PORT,HOST:PORT, "
            "sentinel://HOST:PORT,HOST:PORT/NAME.  [env: STATEWRIGHT_STORE]"
        )
        data = (
            f"Directory of the private server, used without --store; default {DATA_DIR}.  [env: STATEWRIGHT_DATA_DIR]"
        )
        if works or environment:
            objects = (
                "What distributed Maps read and write: a directory whose subdirectories are the buckets, s3://, or "
                "s3+http(s)://HOST:PORT.  [env: STATEWRIGHT_OBJECTS]"
            )
            variable = "STATEWRIGHT_OBJECTS" if environment else None
            function = click.option("--objects", metavar="DIR|URL", help=objects, envvar=variable, **kept)(function)
        function = click.option("--json", is_flag=True, help="Answer with JSON on stdout.", **kept)(function)
        limits = f"Whose limits count: {PROFILE} (default), or statewright: larger ones.  [env: STATEWRIGHT_PROFILE]"
        names, variable = click.Choice([PROFILE, "statewright"]), "STATEWRIGHT_PROFILE" if environment else None
        function = click.option("--profile", type=names, help=limits, envvar=variable, **kept)(function)
        survives = (
            "What acknowledged work survives: durable (default) a power failure, fast a dead server, replicated also "
            "the loss of a node, volatile nothing (tests).  [env: STATEWRIGHT_DURABILITY]"
        )
        words = click.Choice(["durable", "fast", "replicated", "volatile"])
        variable = "STATEWRIGHT_DURABILITY" if environment else None
        function = click.option("--durability", type=words, help=survives, envvar=variable, **kept)(function)
        variable = "STATEWRIGHT_DATA_DIR" if environment else None
        function = click.option("--data-dir", metavar="DIR", help=data, envvar=variable, **kept)(function)
        variable = "STATEWRIGHT_STORE" if environment else None
        return click.option("--store", metavar="URL", help=store, envvar=variable, **kept)(function)

    return decorate


@asynccontextmanager
async def connect(settings: Settings, **options: Any) -> AsyncIterator[AsyncEngine]:
    """An open engine on the store of `settings`.

    Arguments: `options` go to `AsyncEngine`, e.g. `tasks`, `concurrency`.

    Raises StatewrightError StoreUnavailable if a server given by URL does not answer within `PATIENCE` seconds: who
    types a command wants to know, while a worker that has once been connected waits longer.

    Example: ``async with connect(settings) as engine: await engine.describe("hello:first")``
    """
    import asyncio

    from statewright import AsyncEngine, StatewrightError

    options |= {"profile": settings.profile, "durability": settings.durability}
    engine = AsyncEngine(settings.store, data_dir=None if settings.store else settings.data_dir, **options)
    try:
        async with asyncio.timeout(PATIENCE if settings.store else None):
            await engine.open()
    except TimeoutError:
        message = f"{settings.store} does not answer within {PATIENCE} seconds"
        raise StatewrightError("StoreUnavailable", message) from None
    try:
        yield engine
    finally:
        await engine.close()


def tell_handlers(settings: Settings) -> None:
    """Say in the environment which store is used, so that handlers can open an `Engine` of their own on it."""
    if settings.durability:
        os.environ["STATEWRIGHT_DURABILITY"] = settings.durability
    if settings.store:
        os.environ["STATEWRIGHT_STORE"] = settings.store
    else:
        os.environ["STATEWRIGHT_DATA_DIR"] = os.path.abspath(settings.data_dir)


def asynchronous(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make a coroutine function a plain one that runs in an event loop of its own."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        import asyncio

        return asyncio.run(function(*args, **kwargs))

    return run


def load_handlers(sources: tuple[str, ...]) -> dict[str, Any]:
    """The handlers of all `--functions`, by name; of two with one name the later counts."""
    from statewright import load_functions

    return {name: handler for source in sources for name, handler in load_functions(source).items()}
