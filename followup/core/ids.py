"""Make ids: time-ordered keys for rows, opaque public ids for addresses, short codes and link tokens."""

import hashlib
import hmac
import random
import secrets
from threading import Lock
from uuid import UUID

from followup.core.clock import unix_millis

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no 0/o, 1/l/i: people read these aloud


class _Order:
    """Milliseconds and a counter within them, which never go back in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0

    def next(self) -> int:
        """Return 60 bits: 48 of milliseconds, 12 of a counter; the 4,097th in one borrows from the next."""
        with self._lock:
            self._last = max(self._last + 1, unix_millis() << 12)
            return self._last & (2**60 - 1)


_order = _Order()


def new_id() -> UUID:
    """Return a time-ordered UUID (version 7, RFC 9562, with its counter in rand_a).

    Ids made later in one process sort later, so that rows of one transaction keep their order.
    """
    order = _order.next()
    head = (order >> 12) << 16 | 0x7000 | order & 0xFFF
    return UUID(int=head << 64 | 0b10 << 62 | random.getrandbits(62))


def public_id(prefix: str) -> str:
    """Return an opaque id such as `pat_7k2m9qwxr4td`, safe in an address."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(12))}"


def alert_code() -> str:
    """Return a random 4-digit code; the caller keeps it unique among a clinic's open alerts."""
    return f"{secrets.randbelow(9000) + 1000}"


def attempt_token() -> str:
    """Return the opaque token of one sending attempt; it travels in the status-callback address."""
    return secrets.token_urlsafe(12)


def link_token() -> str:
    """Return the 11 characters (64 bits) of a patient's or staff link."""
    return secrets.token_urlsafe(8)


def signed_digest(token: str, key: str) -> str:
    """Return the keyed digest (HMAC-SHA256, hex) of a link token: what the store keeps in its place.

    A copy of the database without the key opens no link; a guessed token has to be signed by the key to be
    found.
    """
    return hmac.new(key.encode(), token.encode(), hashlib.sha256).hexdigest()
