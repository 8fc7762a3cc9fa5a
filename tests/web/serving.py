"""Serve an application on a free port, for tests that look at patients' pages with a browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import make_server

from tests.support.processes import free_port
from tests.web import doors


@contextmanager
def served(database_url: str) -> Iterator[tuple[Flask, str]]:
    """Run the application until the block ends; lends it and its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    app = doors.build(database_url, public_url=address)
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield app, address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        doors.close(app)
