"""Make ids: time-ordered keys for rows, opaque public ids for addresses, short codes and link tokens."""

import hashlib
import hmac
import secrets
from uuid import UUID

from followup.core.clock import unix_millis

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no 0/o, 1/l/i: people read these aloud


def new_id() -> UUID:
    """Return a time-ordered UUID (version 7, RFC 9562): milliseconds, then randomness."""
    value = (unix_millis() & (2**48 - 1)) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


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
