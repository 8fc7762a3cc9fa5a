"""Keep the tests on this machine: a connection to anywhere but localhost is refused before it leaves."""

import ipaddress
import socket
from collections.abc import Callable
from typing import Any


class LeavesTheMachine(AssertionError):
    """A test tried to talk to another machine."""


def is_local(family: int, address: object) -> bool:
    """Tell whether an address, as given to socket.connect, stays on this machine."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = address[0] if isinstance(address, tuple) else address
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a socket method whose last argument is where it goes."""

    def stay(self: socket.socket, *arguments: Any) -> Any:
        if not is_local(self.family, arguments[-1]):
            raise LeavesTheMachine(f"tests talk to localhost only, not to {arguments[-1]!r}")
        return method(self, *arguments)

    return stay


def block_the_network() -> None:
    """Refuse every connection and datagram of this process that is not for localhost."""
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
