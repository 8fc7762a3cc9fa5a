"""The demo's web process: bring the database up, seed it, answer on loopback."""

import sys
from pathlib import Path

import waitress
from flask import Flask
from sqlalchemy import make_url

from followup import logs
from followup.embedded import seed
from followup.embedded.snapshot import path_in, restore, save
from followup.runtime import build_runtime
from followup.store import migrate
from web import create_app


def main(port: int) -> None:
    """Serve until we are told to end."""
    house = build_runtime()
    logs.configure(house.settings.log_level)
    database = Path(make_url(house.settings.database_url).database or "")
    snapshot = path_in(database.parent, schema=migrate.newest())
    if restore(snapshot, database):
        seed.go_on(house)
    else:
        migrate.upgrade(house.settings.database_url)
        if seed.fill(house):
            save(database, snapshot)
    seed.draw_passwords(house)
    app: Flask = create_app(house)
    waitress.serve(app, host="127.0.0.1", port=port, threads=8, ident=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
