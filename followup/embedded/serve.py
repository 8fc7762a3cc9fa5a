"""The demo's web process: bring the database up, seed it, answer on loopback."""

import sys

import waitress
from flask import Flask

from followup import logs
from followup.embedded import seed
from followup.runtime import build_runtime
from followup.store import migrate
from web import create_app


def main(port: int) -> None:
    """Serve until we are told to end."""
    house = build_runtime()
    logs.configure(house.settings.log_level)
    migrate.upgrade(house.settings.database_url)
    seed.prepare(house)
    app: Flask = create_app(house)
    waitress.serve(app, host="127.0.0.1", port=port, threads=8, ident=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
