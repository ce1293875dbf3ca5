"""Task tokens: what a callback proves itself with.

A token names the execution, the frame and the epoch of the order it answers, under a MAC with the store's secret.  It
is opaque to callers, cannot be guessed, and stops being good when its epoch is over: after the first answer, a time
limit, a retry (which has a new token) or a stop.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from statewright.errors import StatewrightError

__all__ = ["TokenTarget", "Tokens"]

_MAC_BYTES = 32
_FIRST = b"\0"
"""The first byte of all tokens, so that none begins with a dash, like an option of a command.  Also their version."""


@dataclass(frozen=True, slots=True)
class TokenTarget:
    """What a token answers: the order of `epoch` of a frame of an execution."""

    execution: str
    frame_id: str
    epoch: int


class Tokens:
    """Makes and checks task tokens.

    Arguments:
        secret: the store's random secret (`Store.secret`), the same for all engines on a store.

    Example: ``Tokens(secret).check(Tokens(secret).sign("exec", "", 1)) == TokenTarget("exec", "", 1)``
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, execution: str, frame_id: str, epoch: int) -> str:
        """The token of an order, as url-safe text."""
        body = f"{execution}\n{frame_id}\n{epoch}".encode()
        return base64.urlsafe_b64encode(_FIRST + self._mac(_FIRST + body) + body).decode()

    def check(self, token: str) -> TokenTarget:
        """What `token` answers.

        Raises StatewrightError InvalidToken for anything this store has not signed; the comparison takes the same time
        wherever the token is wrong.
        """
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeError, binascii.Error, AttributeError):
            raise _invalid() from None
        mac, body = raw[1 : 1 + _MAC_BYTES], raw[1 + _MAC_BYTES :]
        # Base64 has several spellings of the same bytes; only the one that was handed out is good.
        right = hmac.compare_digest(mac, self._mac(raw[:1] + body))
        if not right or base64.urlsafe_b64encode(raw).decode() != token:
            raise _invalid()
        execution, frame_id, epoch = body.decode().split("\n")
        return TokenTarget(execution, frame_id, int(epoch))

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, b"task token\n" + body, hashlib.sha256)


def _invalid() -> StatewrightError:
    return StatewrightError("InvalidToken", "Invalid Token: 'Invalid token'")
