"""Serve an application for real, on a free port of this machine, with a worker's rounds beside it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import make_server

from followup.runtime import Runtime
from followup.services import sweeping
from web import create_app

_EVERY_SECONDS = 0.05


@contextmanager
def serving(house: Runtime, port: int) -> Iterator[None]:
    """Answer on the port until the block ends."""
    served = make_server("127.0.0.1", port, create_app(house), threaded=True)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    try:
        yield
    finally:
        served.shutdown()
        thread.join(10)
        served.server_close()


@contextmanager
def working(house: Runtime) -> Iterator[None]:
    """Do round after round of what workers do until the block ends."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(_EVERY_SECONDS):
            sweeping.once(
                house.sessions,
                house.senders,
                clock=house.clock,
                settings=house.settings,
                knowledge=house.knowledge,
            )

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)
