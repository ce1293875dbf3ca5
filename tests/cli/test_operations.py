"""doctor on servers that are safe and servers that are not; the private server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from statewright.store.embedded import server_binary
from tests.cli.conftest import Shell
from tests.store.servers import ClusterNodes, Node, eventually

Serve = Callable[..., str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with the settings given and answers with its URL."""
    started: list[subprocess.Popen[str]] = []

    def start(**settings: str) -> str:
        socket = tmp_path / "s.sock"
        options = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]
        command = [str(server_binary()), "--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path), *options]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(server)
        assert server.stdout is not None
        assert any("Ready to accept connections" in line for line in server.stdout)
        return f"unix://{socket}"

    yield start
    for server in started:
        server.kill()
        server.communicate()


def test_the_private_server_is_safe(shell: Shell) -> None:
    assert shell("server", "stop").out == "no server runs for .statewright\n"
    report = shell("doctor", "--json")
    assert report.code == 0
    assert report.document["safe"] is True
    assert [finding["verdict"] for finding in report.document["findings"]] == ["ok"] * 4


def test_a_safe_server(shell: Shell, serve: Serve) -> None:
    url = serve(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction")
    assert shell("doctor", "--store", url).code == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"appendonly": "no"}, "CONFIG SET appendonly yes"),
        ({"appendonly": "yes", "appendfsync": "everysec"}, "CONFIG SET appendfsync always"),
        ({"appendonly": "yes", "appendfsync": "always", "maxmemory_policy": "volatile-lru"}, "noeviction"),
        ({"appendonly": "yes", "appendfsync": "always", "maxmemory_policy": "allkeys-lru"}, "noeviction"),
    ],
)
def test_an_unsafe_server(settings: dict[str, str], words: str, shell: Shell, serve: Serve) -> None:
    result = shell("doctor", "--store", serve(save="", **settings))
    assert result.code == 1
    assert "unsafe" in result.out
    assert words in result.out


def replicas_of(node: Node) -> list[object]:
    """Rows of CLUSTER SLOTS with a replica: first, last, primary, replica."""
    return [row for row in node.command("CLUSTER", "SLOTS") if len(row) > 3]


def test_each_server_of_a_cluster(shell: Shell, tmp_path: Path) -> None:
    cluster = ClusterNodes("valkey", tmp_path / "cluster", replicas=1, timeout_ms=15_000)
    try:
        eventually("a replica all know of", lambda: all(replicas_of(node) for node in cluster.nodes))
        report = shell("doctor", "--store", cluster.url, "--json")
        assert (report.code, report.document["store"]["topology"]) == (0, "cluster")
        assert [node["role"] for node in report.document["store"]["nodes"]] == ["primary"] * 3 + ["replica"]
        cluster.nodes[3].command("CONFIG", "SET", "appendfsync", "everysec")
        result = shell("doctor", "--store", cluster.url)
        assert result.code == 1
        assert f"replica redis://127.0.0.1:{cluster.nodes[3].port}/0 appendfsync" in result.out
        cluster.nodes[3].kill()
        result = shell("doctor", "--store", cluster.url)
        assert result.code == 0
        assert "not reachable" in result.out
    finally:
        cluster.stop()


def test_no_server_at_all(shell: Shell) -> None:
    result = shell("doctor", "--store", "unix:///nowhere.sock")
    assert result.code == 2
    assert result.err.startswith("error: StoreUnavailable: ")
    assert "hint: " in result.err
