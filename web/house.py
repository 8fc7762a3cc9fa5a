"""Hand the request its house: the one Runtime of this web process."""

from typing import cast

from flask import current_app

from followup.runtime import Runtime

KEY = "followup"


def current_house() -> Runtime:
    """Return the Runtime that `create_app` was given or built."""
    return cast(Runtime, current_app.extensions[KEY])
