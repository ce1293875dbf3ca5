"""Looking at everything a store keeps, for `verify`: executions one by one, then the keys beside them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from statewright.audit import Finding, StoredFrame, Trail, compare
from statewright.store import codec, keys
from statewright.store.codec import BrokenRecordError, Chain
from statewright.store.mapruns import MapRuns
from statewright.store.records import Verified
from statewright.store.replies import ServerError, StoreUnavailable
from statewright.store.scripts import LIBRARY
from statewright.store.upkeep.inspected import (
    FrameParts,
    Inspected,
    differences_of_end,
    differences_of_header,
    stored_frame,
)

__all__ = ["Inspecting"]

_PAGE = 500
_FIRST = 100
_KEYS_PER_CALL = 500
_PAYLOADS_PER_CALL = 16
_OF_RUNNING = frozenset("fbjri")
"""Kinds of keys of which a running execution alone has some."""
_OF_EXECUTION = frozenset("hpkuoz") | _OF_RUNNING
_OF_SHARD = frozenset(("l", "t", "n", "q", "a", "s", "w", "dl", "done", "z", "runs"))
_OF_STORE = frozenset(("meta", "machines", "sweep", "workers", "said", "old", "incidents"))
_SHARD_KEY = re.compile(r"sw:\{(\d+)\}:([a-z]+)(?::(.*))?", re.DOTALL)
_META_KEY = re.compile(r"sw:\{meta\}:(?:([a-z]+)|(m|d):(.*))", re.DOTALL)


class Inspecting(MapRuns):
    """What `verify` asks of a store (see `Store`)."""

    async def verify_execution(
        self, execution: str, machine: str | None = None, status: str | None = None
    ) -> Verified | None:
        """See `Store.verify_execution`."""
        while True:
            try:
                answer = await self._scripts.run("inspect", self._key(execution), [execution, _FIRST])
                if answer is None:
                    return None
                found = Inspected.of(execution, answer)
                if machine not in (None, found.text("mn")) or status not in (None, found.text("st")):
                    return None
                if found.emptied:
                    archive = await self._archive(execution)
                    if archive is None and await self._scripts.call("EXISTS", self._key(execution)):
                        lost = Finding("BrokenChain", "its archive is lost", execution=execution)
                        return Verified(execution, 0, (lost,))
                    found = found if archive is None else found.filled(archive)
                verified = None if found.emptied else await self._judge(found)
            except StoreUnavailable:
                raise
            except Exception as error:  # whatever damage makes of records, it is about this execution alone
                broken = Finding("BrokenRecord", f"it cannot be read: {error!r}", execution=execution)
                return Verified(execution, 0, (broken,))
            if verified is not None:
                return verified

    async def _judge(self, found: Inspected) -> Verified | None:
        """What is wrong with it; None if it went while it was looked at."""
        findings: list[Finding] = []
        trail = await self._history(found, findings)
        if trail is None:
            return None
        findings += await self._payloads(found)
        findings += differences_of_end(found, trail)
        name = found.id
        try:
            head = await self._decoded(lambda incoming: found.execution(incoming.of(found.id)))
        except Exception as error:
            findings.append(Finding("BrokenHeader", f"its constants cannot be read: {error}"))
        else:
            name = head.arn
            findings += differences_of_header(found, head, trail)
            if not await self._scripts.call("EXISTS", keys.definition(head.definition)):
                findings.append(Finding("BrokenDefinition", f"its definition {head.definition} is not there"))
        if found.running:
            findings += await self._frames(found, trail)
        return Verified(name, found.length, tuple(replace(each, execution=name) for each in findings))

    # -- history ------------------------------------------------------------------------------------------------------
    async def _history(self, found: Inspected, findings: list[Finding]) -> Trail | None:
        trail, chain = Trail(), Chain(found.id)
        records: Sequence[bytes] = found.records
        place, broken = 0, False
        while True:
            findings += _taken(trail, place + 1, records)
            for record in records:
                place += 1
                if not chain.fits(record) and not broken:
                    broken = True
                    message = f"the records up to event {place} are not those that were written"
                    findings.append(Finding("BrokenChain", message, place))
            if place >= found.length:
                break
            key = self._key(found.id, "h")
            records = await self._scripts.call("LRANGE", key, place, min(place + _PAGE, found.length) - 1)
            if not records:
                return None
        if not chain.whole:
            findings.append(Finding("BrokenChain", "its last events are missing", place))
        return trail

    async def _payloads(self, found: Inspected) -> list[Finding]:
        """Payloads by their names, which are the hashes of their texts, and those that are referred to."""
        if found.archive is not None:
            return list(_changed(found.archive.payloads.items()))
        if not found.payloads:
            return []
        key, findings = self._key(found.id, "p"), list[Finding]()
        names = await self._scripts.call("HKEYS", key)
        for start in range(0, len(names), _PAYLOADS_PER_CALL):
            some = names[start : start + _PAYLOADS_PER_CALL]
            findings += _changed(zip(some, await self._scripts.call("HMGET", key, *some), strict=True))
        return findings

    # -- frames -------------------------------------------------------------------------------------------------------
    async def _frames(self, found: Inspected, trail: Trail) -> list[Finding]:
        findings, frames = list[Finding](), list[StoredFrame]()
        for parts in found.frames:
            try:
                frame = await self._decoded(lambda incoming, parts=parts: parts.frame(incoming.of(found.id)))  # type: ignore[misc]
                frames.append(stored_frame(parts, frame))
                findings += parts.differences(frame)
                findings += await self._fork_records(found, parts)
            except (BrokenRecordError, ValueError, KeyError, TypeError) as error:
                findings.append(Finding("BrokenRecord", f"frame {parts.id!r} cannot be read: {error!r}"))
        return findings or list(compare(trail, frames))

    async def _fork_records(self, found: Inspected, parts: FrameParts) -> list[Finding]:
        """The records of a frame's forks, their items and results."""
        findings = list[Finding]()
        for epoch, record in parts.records.items():
            rest = f"{parts.id}:{epoch}"
            names = [self._key(found.id, kind, rest) for kind in "irj"]
            items, results, open_ = await self._all(
                [("HGETALL", names[0]), ("HGETALL", names[1]), ("EXISTS", names[2])]
            )
            if not record or not open_:  # it was not open yet: its items are sent ahead; or is not any more
                continue
            fork = codec.decode_fork(epoch, record[b"body"], _null)
            lost = fork.map_name is not None and len(items) // 2 not in (fork.length, 2 * fork.length)
            if lost or parts.differs_from(fork) or _unsealed([*items[1::2], *results[1::2]]):
                findings.append(Finding("BrokenRecord", f"fork {rest} or its items or results are not as written"))
        return findings

    # -- keys ---------------------------------------------------------------------------------------------------------
    async def verify_keys(self, names: Sequence[bytes]) -> list[Finding]:
        """See `Store.verify_keys`."""
        findings, owned = list[Finding](), list[tuple[str, str, str]]()
        for name in [each.decode(errors="backslashreplace") for each in names]:
            kind, owner = _owner(name, self.shards)
            if kind == "d":
                findings += await self._definition(name, owner)
            elif kind == "m":
                findings += await self._machine(name)
            elif kind == "e":
                findings += await self._index(name)
            elif kind in ("done*", "z*", "dl*"):
                findings += await self._listed(name, kind[:-1])
            elif kind == "runs*":
                findings += await self._places(name)
            elif kind == "":
                findings.append(Finding("ForeignKey", f"the key {name} is none of this store's"))
            elif kind in _OF_EXECUTION or kind == "x":
                owned.append((name, kind, owner))
        headers = await self._all([("HMGET", self._key(owner), "st", "head") for _, _, owner in owned])
        for (name, kind, owner), (status, head) in zip(owned, headers, strict=True):
            if kind == "k" and status is not None:
                findings += await self._run_ids(name, owner)
            if (
                kind == "u"
                and status is not None
                and _unsealed([await self._scripts.call("HGET", name, "body") or b""])
            ):
                findings.append(Finding("BrokenRecord", f"the map run {name} is not as written"))
            gone = status is None or (kind in _OF_RUNNING and status != b"RUNNING")
            gone = gone or (kind == "z" and head is not None)
            if not gone and kind in "fb":
                gone = await self._over(name, owner)
            if gone and await self._still_there(name):
                findings.append(Finding("ForeignKey", f"the key {name} belongs to nothing that has such keys"))
        return findings

    async def _still_there(self, key: str) -> bool:
        """Whether a key that nobody owns is there yet: it may have gone with its owner, or be a map run's."""
        run = re.sub(r"\}:[ro]:", "}:u:", key, count=1)
        there, of_run = await self._all([("EXISTS", key), ("EXISTS", run)])
        return bool(there and (run == key or not of_run))

    async def _over(self, key: str, execution: str) -> bool:
        """Whether a child frame has ended: there is its result, or its fork is gone."""
        parent, _, place = key.split(":", 3)[-1].partition(":")[2].rpartition("/")
        epoch, _, index = place.partition(".")
        if not epoch:
            return False
        rest = f"{parent}:{epoch}"
        there, ended, frame = await self._all(
            [
                ("EXISTS", self._key(execution, "j", rest)),
                ("HEXISTS", self._key(execution, "r", rest), index),
                ("EXISTS", key),
            ]
        )
        return bool(frame and (ended or not there))

    async def _run_ids(self, key: str, execution: str) -> list[Finding]:
        """Whether an execution's map runs are found by their ids."""
        names = [name.decode(errors="backslashreplace") for name in await self._scripts.call("LRANGE", key, 0, -1)]
        places = await self._scripts.call("HMGET", self._key(execution).partition("x:")[0] + "runs", *names)
        lost = [
            name
            for name, place in zip(names, places, strict=True)
            if (place or b"").split(b":")[0] != execution.encode()
        ]
        return [Finding("WrongIndex", f"its map run {name} is not found by that id", None, execution) for name in lost]

    async def _index(self, key: str) -> list[Finding]:
        """Whether what an index lists belongs there."""
        machine, _, status = key.partition("}:e:")[2].rpartition(":")
        findings, start = list[Finding](), 0
        while members := await self._scripts.call("ZRANGE", key, start, start + _KEYS_PER_CALL - 1):
            names = [member.decode(errors="backslashreplace") for member in members]
            headers = await self._all([("HMGET", self._key(name), "st", "mn", "ix") for name in names])
            for member, name, (now, of, run) in zip(members, names, headers, strict=True):
                listed = now == status.encode() and machine.encode() in ((run,) if run else (b"", of))
                # It may have ended since the index was read.
                if not listed and await self._scripts.call("ZSCORE", key, member) is not None:
                    again = await self._scripts.call("HGET", self._key(name), "st")
                    if again == now:
                        findings.append(Finding("WrongIndex", f"it is listed as {status} of {machine!r}", None, name))
            start += len(members)
        return findings

    async def _listed(self, key: str, kind: str) -> list[Finding]:
        """Whether what a list of executions that ended, or of dead letters, has belongs there."""
        findings, start = list[Finding](), 0
        while members := await self._scripts.call("ZRANGE", key, start, start + _KEYS_PER_CALL - 1):
            names = [member.decode(errors="backslashreplace") for member in members]
            owners = [name.partition(":")[0] for name in names]
            statuses = await self._all([("HGET", self._key(owner), "st") for owner in owners])
            for name, owner, status in zip(names, owners, statuses, strict=True):
                fits = status == b"RUNNING" if kind == "dl" else status not in (None, b"RUNNING")
                if not fits and await self._scripts.call("ZSCORE", key, name) is not None:
                    again = await self._scripts.call("HGET", self._key(owner), "st")
                    if again == status:
                        findings.append(Finding("WrongIndex", f"it is listed in {key}", None, name))
            start += len(members)
        return findings

    async def _places(self, key: str) -> list[Finding]:
        """Whether the map runs of a shard are where their ids say."""
        flat = await self._scripts.call("HGETALL", key)
        places = [place.decode(errors="backslashreplace") for place in flat[1::2]]
        there = await self._all([("EXISTS", f"{key.removesuffix('runs')}u:{place}") for place in places])
        lost = [name for name, found in zip(flat[::2], there, strict=True) if not found]
        still = await self._scripts.call("HMGET", key, *lost) if lost else []  # they may have been deleted meanwhile
        return [
            Finding("WrongIndex", f"the map run {name.decode(errors='backslashreplace')} is not there")
            for name, place in zip(lost, still, strict=True)
            if place is not None
        ]

    async def verify_scripts(self) -> list[Finding]:
        """See `Store.verify_scripts`."""
        name, findings = LIBRARY.split("\n", 1)[0].partition("name=")[2], list[Finding]()
        for server in self._scripts.server.primaries():
            try:
                loaded = await server.call("FUNCTION", "LIST", "LIBRARYNAME", name, "WITHCODE")
            except ServerError:  # not allowed
                continue
            for library in loaded:
                code = dict(zip(library[::2], library[1::2], strict=True)).get(b"library_code")
                if code != LIBRARY.encode():
                    findings.append(Finding("BrokenScripts", f"the library {name} is not the one that was loaded"))
        return findings

    async def _machine(self, key: str) -> list[Finding]:
        name, content = key.partition(":m:")[2], await self._scripts.call("HGET", key, "hash")
        there = content and await self._scripts.call("EXISTS", keys.definition(content.decode(errors="replace")))
        return [] if there else [Finding("BrokenDefinition", f"the definition of state machine {name} is not there")]

    async def _definition(self, key: str, content: str) -> list[Finding]:
        text = await self._scripts.call("GET", key)
        if text is None or hashlib.sha256(text).hexdigest() == content:
            return []
        return [Finding("BrokenDefinition", f"the definition {content} is another")]


def _taken(trail: Trail, first: int, records: Sequence[bytes]) -> list[Finding]:
    """Give records to the trail, large payloads by their hashes; what is wrong with them."""
    try:
        events = codec.decode_events(first, records, str)
    except Exception as error:
        if len(records) > 1:
            return [each for place, record in enumerate(records, first) for each in _taken(trail, place, [record])]
        trail.length, trail.understood = first, False
        return [Finding("BrokenRecord", f"event {first} cannot be read: {error!r}", first)]
    return [finding for event in events if (finding := trail.add(event)) is not None]


def _changed(payloads: Iterable[tuple[bytes, bytes | None]]) -> Iterator[Finding]:
    """Payloads that do not have the hash they are named by; None is one that went meanwhile."""
    for name, text in payloads:
        if text is not None and hashlib.sha256(text).hexdigest().encode() != name:
            yield Finding("BrokenPayload", f"the payload {name.decode(errors='replace')} is another")


def _null(written: str) -> str:
    """For a record that is read without the large payloads it refers to."""
    return "null" if written.startswith("@") else written


def _unsealed(records: Sequence[bytes]) -> bool:
    try:
        for record in records:
            codec.unseal(record)
    except BrokenRecordError:
        return True
    return False


def _owner(key: str, shards: int) -> tuple[str, str]:
    """What kind of key this is (with a "*" if it belongs to a whole shard), and whose; ("", "") for none."""
    if "\\" in key:  # of bytes that are no text
        return "", ""
    if found := _META_KEY.fullmatch(key):
        return (found[2], found[3]) if found[2] else (found[1] if found[1] in _OF_STORE else "", "")
    found = _SHARD_KEY.fullmatch(key)
    if found is None or int(found[1]) >= shards:
        return "", ""
    kind, rest = found[2], found[3]
    if rest is None:
        return (f"{kind}*", "") if kind in _OF_SHARD else ("", "")
    if kind in ("q", "a", "e"):
        return kind, rest
    owner = rest.partition(":")[0]
    known = kind in _OF_EXECUTION | {"x"} and keys.shard_of(owner, shards) == int(found[1])
    return (kind, owner) if known else ("", "")
