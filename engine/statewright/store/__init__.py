"""The store: executions in Redis or Valkey, behind the verbs of `statewright.store.verbs`.

Start reading at ``verbs.py`` (what the engine asks), ``keys.py`` (what is kept) and ``lua/commit.lua`` (how a
transition becomes durable).
"""

from statewright.store.embedded import start_embedded, stop_embedded
from statewright.store.opening import open_store
from statewright.store.redis import RedisStore
from statewright.store.replies import StoreUnavailable

__all__ = ["RedisStore", "StoreUnavailable", "open_store", "start_embedded", "stop_embedded"]
