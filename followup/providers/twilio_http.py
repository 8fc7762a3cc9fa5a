"""Carry the SDK's requests over one pool of connections, and tell apart what was sent from what was not.

The SDK's own client keeps 6 connections on 2 cores (a TLS handshake per text beyond that) and logs numbers.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import urllib3
from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

CONNECT_SECONDS = 5.0


class NeverSentError(Exception):
    """No byte of the request left us: no address, refused, or no TLS."""


class ThrottledError(Exception):
    """The carrier answered 429; `retry_after` holds its seconds, if it named them."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("throttled")
        self.retry_after = retry_after


@contextmanager
def _nothing_sent() -> Iterator[None]:
    # urllib3 reports a time-out of the TLS handshake as a read time-out, like one after the request.
    # Only here, inside connect(), is it certain that nothing was sent.
    try:
        yield
    except Exception as failed:
        raise NeverSentError(type(failed).__name__) from failed


class _PlainConnection(HTTPConnection):
    def connect(self) -> None:
        with _nothing_sent():
            super().connect()


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        with _nothing_sent():
            super().connect()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class PooledHttpClient(HttpClient):  # type: ignore[misc]  # the SDK ships no types
    """The SDK's way out: at most `in_flight` kept connections, no hidden retry, no redirect, no log line."""

    def __init__(self, api_url: str, *, in_flight: int, call_seconds: float) -> None:
        """Send every request to the host of `api_url`, waiting `call_seconds` for each answer."""
        super().__init__(logging.getLogger(__name__), is_async=False)
        self._base = urlsplit(api_url)
        self._pool = urllib3.PoolManager(
            num_pools=2,
            maxsize=in_flight,
            block=False,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=call_seconds),
        )
        self._pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Make one call; NeverSentError, ThrottledError, or urllib3's own errors for a lost answer."""
        more: dict[str, Any] = {"timeout": timeout} if timeout else {}
        answer = self._pool.request(
            method.upper(),
            self._address(url, params),
            body=_form(data) if data else None,
            headers={**(headers or {}), **(_basic(auth) if auth else {})},
            redirect=allow_redirects,
            **more,
        )
        if answer.status == 429:
            raise ThrottledError(_seconds(answer.headers.get("Retry-After")))
        return Response(answer.status, answer.data.decode("utf-8", "replace"), answer.headers)

    def _address(self, url: str, params: Mapping[str, object] | None) -> str:
        asked = urlsplit(url)
        query = "&".join(part for part in (asked.query, _form(params or {})) if part)
        return urlunsplit((self._base.scheme, self._base.netloc, asked.path, query, ""))


def _form(fields: Mapping[str, object]) -> str:
    return urlencode(fields, doseq=True, errors="replace")


def _basic(auth: tuple[str, str]) -> Mapping[str, str]:
    return urllib3.make_headers(basic_auth=":".join(auth))


def _seconds(retry_after: str | None) -> float | None:
    # RFC 9110 10.2.3 also allows a date; then our own back-off is as good.
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
