"""The web: a thin front of the house. It parses, calls one service, translates the answer.

Public name: `create_app`.
"""

from importlib import import_module

from flask import Flask

from followup import logs
from followup.runtime import Runtime, build_runtime
from followup.settings import Environment

from . import access, errors, pages, security
from .house import KEY

#: Every room with pages, each a module with a blueprint named `bp`.
ROOMS = (
    "web.health",
    "web.signing",
    "web.staff.worklist",
    "web.staff.alerts",
    "web.staff.paged",
    "web.staff.patients",
    "web.staff.enrol",
    "web.staff.plans",
    "web.patient",
    "web.webhooks",
)
DEMO_ROOMS = ("web.sandbox",)

__all__ = ["create_app"]


def create_app(runtime: Runtime | None = None) -> Flask:
    """Build the Flask application on a Runtime; without one, from the settings of the environment."""
    house = runtime or build_runtime()
    if runtime is None:
        logs.configure(house.settings.log_level)
    app = Flask("web")
    app.extensions[KEY] = house
    security.install(app, house.settings)
    access.install(app, house.settings)
    errors.install(app)
    pages.install(app)
    rooms = ROOMS + (DEMO_ROOMS if house.settings.environment is Environment.DEMO else ())
    for room in rooms:
        app.register_blueprint(import_module(room).bp)
    return app
