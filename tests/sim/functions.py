"""Server-side functions: runs the text of a function library, unchanged, in Lua 5.1, the version Redis has inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lupa.lua51 import LuaRuntime, lua_type

from tests.sim.keyspace import RedisError, Status

__all__ = ["Library"]

_ENTRY = b"""
local text, call, status = ...
local functions, loading = {}, true
local redis = {
  register_function = function(name, body)
    if not loading then error('redis.register_function can only be called on FUNCTION LOAD') end
    if type(name) == 'table' then name, body = name.function_name, name.callback end
    functions[name] = body
  end,
  acl_check_cmd = function() return true end, -- there is one user, who may do everything
}
local environment = setmetatable({
  redis = redis, string = string, table = table, math = math, ipairs = ipairs, pairs = pairs, next = next,
  tonumber = tonumber, tostring = tostring, type = type, unpack = unpack, select = select, error = error,
}, {
  __index = function(_, name) error('Script attempted to access nonexistent global variable ' .. tostring(name)) end,
  __newindex = function() error('Attempt to modify a readonly table') end,
})
local chunk, problem = loadstring(text, '@user_function')
if not chunk then error(problem) end
setfenv(chunk, environment)()
loading = false
redis.call = call
return function(name, keys, ...) return functions[name](keys, {...}) end,
  function(name, keys, arguments) return functions[name](keys, arguments) end,
  function(name) return functions[name] ~= nil end
"""

_MANY = 200
"""More arguments than this are handed over in a table."""


class Library:
    """A library as FUNCTION LOAD has loaded it.

    Arguments:
        text: with its ``#!lua`` line.
        run: what ``redis.call`` calls: name and arguments as bytes; answers as `Keyspace` has them.

    Raises RedisError if the text is no library.

    Example: ``Library(LIBRARY, run).call(b"sw_…_open", [b"sw:{meta}:meta"], [b"1", b"16", b"id", b"secret", b"name"])``
    """

    def __init__(self, text: bytes, run: Callable[[bytes, list[bytes]], Any]) -> None:
        if not text.startswith(b"#!lua name="):
            raise RedisError("ERR Missing library metadata")
        self._run = run
        self._lua = LuaRuntime(encoding=None, unpack_returned_tuples=True, register_eval=False)
        self._table = self._lua.table_from
        body = b"--" + text  # its first line is no Lua; the others keep their numbers
        try:
            entry = self._lua.execute(_ENTRY, body, self._redis_call, Status)
        except Exception as error:
            raise RedisError(f"ERR Error compiling function: {error}") from None
        self._spread, self._packed, self._has = entry

    def __contains__(self, name: bytes) -> bool:
        return bool(self._has(name))

    def call(self, name: bytes, keys: Sequence[bytes], arguments: Sequence[bytes]) -> Any:
        """The answer of a function, as RESP has it; RedisError if it fails."""
        table = self._table(keys)
        try:
            if len(arguments) > _MANY:
                return _reply(self._packed(name, table, self._table(arguments)))
            return _reply(self._spread(name, table, *arguments))
        except RedisError:
            raise
        except Exception as error:
            raise RedisError(f"ERR {error}") from error

    def _redis_call(self, name: bytes, *arguments: Any) -> Any:
        reply = self._run(name, [each if type(each) is bytes else _argument(each) for each in arguments])
        kind = type(reply)
        if kind is bytes or kind is int:
            return reply
        return False if reply is None else self._value(reply)

    def _value(self, reply: Any) -> Any:
        """A reply as Lua has it."""
        if type(reply) is list:
            return self._table([self._value(each) if type(each) is list else _scalar(each) for each in reply])
        return self._table({b"ok": bytes(reply)}) if type(reply) is Status else _scalar(reply)


def _scalar(reply: Any) -> Any:
    return False if reply is None else reply


def _argument(value: Any) -> bytes:
    """A number as Redis makes a string of it; nothing else is an argument."""
    if type(value) is int:
        return b"%d" % value
    if type(value) is float:
        return b"%.17g" % value
    raise RedisError("ERR Lua redis lib command arguments must be strings or integers")


def _reply(value: Any) -> Any:
    """What a function returned, as RESP has it: numbers lose their fraction, an array ends at its first nil."""
    if value is None or type(value) is bytes:
        return value
    if type(value) is bool:
        return 1 if value else None
    if type(value) is int:
        return value
    if type(value) is float:
        return int(value)
    if lua_type(value) == "table":
        found, place = [], 1
        while (each := value[place]) is not None:
            found.append(_reply(each))
            place += 1
        return found
    return None
