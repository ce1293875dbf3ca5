"""TLS, and the least a user must be allowed to do."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from statewright.errors import StatewrightError
from statewright.model import TaskKind
from statewright.store import open_store
from statewright.store.records import Presence
from statewright.store.rights import COMMANDS, acl_rules
from tests.store.scene import Scene, events, task
from tests.store.servers import Node

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of an authority, of one that nobody trusts, and of a server and a client by the first."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = issue(folder, "ca", None)
    issue(folder, "stranger", None)
    issue(folder, "server", authority)
    issue(folder, "client", authority)
    return folder


Issued = tuple[x509.Name, ec.EllipticCurvePrivateKey]


def issue(folder: Path, name: str, issuer: Issued | None) -> Issued:
    """Write ``<name>.crt`` and ``<name>.key``; without an issuer it is an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, signing = issuer or (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{name}.key").write_bytes(text)
    return subject, key


@pytest.fixture(scope="module")
def encrypted(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A server that talks TLS only, and wants to see a certificate."""
    files = {"ca-cert": "ca.crt", "cert": "server.crt", "key": "server.key"}
    settings = {f"tls-{option}-file": str(certificates / name) for option, name in files.items()}
    client = {"ca_certs": "ca.crt", "certfile": "client.crt", "keyfile": "client.key"}
    options = {f"ssl_{option}": str(certificates / name) for option, name in client.items()}
    node = Node("redis", tmp_path_factory.mktemp("tls"), settings, client_options={"ssl": True, **options})
    node.ask_for_tls()
    yield node.start()
    node.stop()


async def test_an_encrypted_store(encrypted: Node, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"rediss://127.0.0.1:{encrypted.port}/1"
    ours = f"cert={certificates}/client.crt&key={certificates}/client.key"
    store = await open_store(f"{place}?ca={certificates}/ca.crt&{ours}")
    scene = Scene(store)
    assert (await scene.create()).outcome == "OK"
    health = await store.health()
    assert health["nodes"][0]["address"] == place
    await store.close()
    for name, file in (("CA", "ca.crt"), ("CERT", "client.crt"), ("KEY", "client.key")):
        monkeypatch.setenv(f"STATEWRIGHT_TLS_{name}", str(certificates / file))
    store = await open_store(place)
    assert await store.describe("E1") is not None
    await store.watch_bell()
    await store.close()


async def test_an_untrusted_server_is_refused_at_once(encrypted: Node, certificates: Path) -> None:
    for parameters in ("", f"?ca={certificates}/stranger.crt"):
        with pytest.raises(StatewrightError, match="not accepted") as refused:
            await open_store(f"rediss://127.0.0.1:{encrypted.port}{parameters}")
        assert refused.value.code == "StoreRefused"
    with pytest.raises(StatewrightError, match=r"not accepted.*match"):
        await open_store(f"rediss://localhost:{encrypted.port}?ca={certificates}/ca.crt")
    with pytest.raises(StatewrightError, match="cannot be used"):
        await open_store(f"rediss://127.0.0.1:{encrypted.port}?ca={certificates}/none.crt")


@pytest.fixture(scope="module", params=["valkey", "redis"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A server on which users have rights."""
    node = Node(request.param, tmp_path_factory.mktemp("acl")).start()
    yield node
    node.stop()


async def everything(url: str) -> None:
    """Call every verb that has commands of its own."""
    store = await open_store(url)
    try:
        await store.now()
        scene = Scene(store)
        await scene.create()
        await store.watch_bell()
        await scene.commit(epoch=1, history=events("e"), commands=(task(TaskKind.ACTIVITY, "arn:act"),))
        await store.take_activity("arn:act", "bob")
        await scene.links()
        await store.results("E1", "", 1)
        await store.find_child("E1:x")
        await store.open_children("E1", "", 1, 1)
        await store.executions("m", None, 0, 10)
        await store.machines()
        await store.definition("d1")
        await store.map_run_counts("E1", "", 1)
        await store.notices(0, 10)
        await store.settle(0, "x")
        await store.announce(Presence("w", (), 0, 1), 1000)
        await store.measure()
        await store.sweep([name async for names in store.keys_of(None) for name in names])
        async for names in store.keys_of(None):
            await store.verify_keys(names)
    finally:
        await store.close()


def grant(node: Node, rules: tuple[str, ...]) -> str:
    node.command("FLUSHALL")
    node.command("FUNCTION", "FLUSH")
    node.command("ACL", "SETUSER", "engine", "reset", "on", ">secret", *rules)
    return f"redis://engine:secret@127.0.0.1:{node.port}"


async def test_the_documented_rights_are_enough(guarded: Node) -> None:
    await everything(grant(guarded, acl_rules()))


@pytest.mark.parametrize("rule", acl_rules())
async def test_one_right_less_is_refused_with_its_name(guarded: Node, rule: str) -> None:
    """Before anything is written, where the commands of scripts are concerned: they are not undone."""
    url = grant(guarded, tuple(other for other in acl_rules() if other != rule))
    with pytest.raises(StatewrightError, match="the documentation") as refused:
        await everything(url)
    assert refused.value.code == "StoreRefused"
    command = rule.removeprefix("+")
    if rule.startswith("+"):
        assert re.search(rf"\b{re.escape(command)}\b", refused.value.message)
    if command.upper() in COMMANDS:
        assert guarded.command("KEYS", "sw:{[0-9]*") == []


def test_the_documented_rights_are_the_tested_ones() -> None:
    text = " ".join(README.read_text("utf-8").split())
    for kind in ("standalone", "sentinel", "cluster"):
        extra = [rule for rule in acl_rules(kind) if rule not in acl_rules()]  # type: ignore[arg-type]
        assert all(f"`{rule}`" in text for rule in extra)
    assert " ".join(acl_rules()) in text
