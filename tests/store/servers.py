"""Servers the tests start, kill and start again: single ones, clusters, and a primary under Sentinels."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from statewright.store.embedded import server_binary

PATIENCE = 20.0


def redis_binary() -> str:
    """Path of redis-server; the test is skipped without one, or fails where it must not be missing."""
    found = shutil.which("redis-server")
    if found is None:
        if os.environ.get("STATEWRIGHT_REQUIRE_REDIS") == "1":
            pytest.fail("redis-server is not on PATH, and STATEWRIGHT_REQUIRE_REDIS=1 requires it")
        pytest.skip("redis-server is not on PATH")
    return found


def binary(kind: str) -> str:
    """The program of a kind of server: valkey or redis."""
    return redis_binary() if kind == "redis" else str(server_binary())


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(sock.getsockname()[1]) for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def eventually(what: str, ask: Callable[[], Any]) -> Any:
    """The first true answer; the test fails if there is none in time."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            if answer := ask():
                return answer
        except redis.RedisError as error:
            what = f"{what} ({error})" if time.monotonic() > until else what
        if time.monotonic() > until:
            pytest.fail(f"not within {PATIENCE:g} s: {what}")
        time.sleep(0.01)


@dataclass
class Node:
    """One server process on a port of its own."""

    kind: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    client_options: dict[str, Any] = field(default_factory=dict)

    def ask_for_tls(self) -> None:
        """Listen with TLS only."""
        self.port = free_ports(1)[0]
        self.settings |= {"port": "0", "tls-port": str(self.port)}

    def start(self) -> Node:
        self.port = self.port or free_ports(1)[0]
        self.folder.mkdir(exist_ok=True)
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "enable-debug-command": "yes",
            "repl-diskless-sync-delay": "0",
        }
        self.run([word for name, value in (settings | self.settings).items() for word in (f"--{name}", value)])
        eventually("a server that answers", lambda: self.command("PING"))
        return self

    def run(self, arguments: list[str]) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([binary(self.kind), *arguments], stdout=log, stderr=log)

    def command(self, *words: Any) -> Any:
        """The answer to a command given by the server's administrator."""
        options: dict[str, Any] = {"socket_timeout": 5, "decode_responses": True, "protocol": 2, **self.client_options}
        with redis.Redis("127.0.0.1", self.port, **options) as client:
            return client.execute_command(*words)

    def kill(self) -> None:
        """As a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class ClusterNodes:
    """A cluster of three primaries, and replicas of the first ones if wanted."""

    def __init__(self, kind: str, folder: Path, *, replicas: int = 0, timeout_ms: int = 1000) -> None:
        count = 3 + replicas
        ports = free_ports(2 * count)
        self.nodes = [
            Node(
                kind,
                folder / str(number),
                {
                    "cluster-enabled": "yes",
                    "cluster-port": str(ports[count + number]),
                    "cluster-node-timeout": str(timeout_ms),
                    "cluster-replica-validity-factor": "0",
                    "repl-ping-replica-period": "1",
                },
                ports[number],
            )
            for number in range(count)
        ]
        folder.mkdir(exist_ok=True)
        for node in self.nodes:
            node.start()
        self.ids = [node.command("CLUSTER", "MYID") for node in self.nodes]
        bounds = [0, 5461, 10923, 16384]
        for number, node in enumerate(self.nodes):
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < 3:
                node.command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            if number:
                node.command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, ports[count])
        eventually("all nodes know each other", lambda: all(self.knows(node, count) for node in self.nodes))
        for number in range(replicas):
            self.nodes[3 + number].command("CLUSTER", "REPLICATE", self.ids[number])
            eventually("a replica in step", lambda n=number: self.in_step(3 + n))  # type: ignore[misc]
        eventually("all know the replicas", lambda: all(self.replicas(node) == replicas for node in self.nodes))
        eventually("a working cluster", lambda: all(self.works(node) for node in self.nodes))

    @staticmethod
    def knows(node: Node, count: int) -> bool:
        return f"cluster_known_nodes:{count}" in node.command("CLUSTER", "INFO")

    def in_step(self, number: int) -> bool:
        role = self.nodes[number].command("ROLE")
        return bool(role[0] == "slave" and role[3] == "connected")

    @staticmethod
    def replicas(node: Node) -> int:
        """How many replicas this node tells clients of: none that it has not heard to have any data."""
        return sum(len(row) - 3 for row in node.command("CLUSTER", "SLOTS"))

    @staticmethod
    def works(node: Node) -> bool:
        return "cluster_state:ok" in node.command("CLUSTER", "INFO")

    @property
    def url(self) -> str:
        return "cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:3])

    def owner(self, slot: int) -> Node:
        """The node that says a slot is its own."""

        def ask() -> Node | None:
            for node in self.nodes:
                try:
                    shards = node.command("CLUSTER", "SLOTS")
                except redis.ConnectionError:
                    continue
                for first, last, primary, *_ in shards:
                    if first <= slot <= last:
                        return next((each for each in self.nodes if each.port == primary[1]), None)
            return None

        found = eventually(f"an owner of slot {slot}", ask)
        assert isinstance(found, Node)
        return found

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


class SentinelNodes:
    """A primary with two replicas, watched over by three Sentinels."""

    name = "orders"

    def __init__(self, kind: str, folder: Path, *, timeout_ms: int = 600) -> None:
        folder.mkdir(exist_ok=True)
        self.servers = [Node(kind, folder / str(number)) for number in range(3)]
        for server in self.servers:
            server.start()
        for replica in self.servers[1:]:
            replica.command("REPLICAOF", "127.0.0.1", self.servers[0].port)
            eventually("a replica in step", lambda r=replica: r.command("ROLE")[3] == "connected")  # type: ignore[misc]
        self.sentinels = [Node("valkey", folder / f"s{number}", port=port) for number, port in enumerate(free_ports(3))]
        for sentinel in self.sentinels:
            sentinel.folder.mkdir()
            file = sentinel.folder / "sentinel.conf"
            file.write_text(
                f"port {sentinel.port}\nbind 127.0.0.1\ndir {sentinel.folder}\n"
                f"sentinel monitor {self.name} 127.0.0.1 {self.servers[0].port} 2\n"
                f"sentinel down-after-milliseconds {self.name} {timeout_ms}\n"
                f"sentinel failover-timeout {self.name} 3000\n"
            )
            sentinel.run([str(file), "--sentinel"])
        for sentinel in self.sentinels:
            eventually("Sentinels that know each other and the replica", lambda s=sentinel: self.ready(s))  # type: ignore[misc]

    def bring_back(self, old: Node) -> None:
        """Start a dead primary as a replica of its successor (Sentinels would make it one, after some seconds)."""
        eventually("another primary", lambda: self.primary is not old)
        old.settings["replicaof"] = f"127.0.0.1 {self.primary.port}"
        old.start()

    def ready(self, sentinel: Node) -> bool:
        words = sentinel.command("SENTINEL", "MASTER", self.name)
        state = dict(zip(words[::2], words[1::2], strict=True))
        return int(state["num-other-sentinels"]) == 2 and int(state["num-slaves"]) == 2

    @property
    def url(self) -> str:
        places = ",".join(f"127.0.0.1:{node.port}" for node in self.sentinels)
        return f"sentinel://{places}/{self.name}/0?replicas=1"

    @property
    def primary(self) -> Node:
        """The primary by the word of the Sentinels."""
        port = int(self.sentinels[0].command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)[1])
        return next(server for server in self.servers if server.port == port)

    def stop(self) -> None:
        for node in [*self.sentinels, *self.servers]:
            node.stop()
