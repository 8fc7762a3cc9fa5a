"""`.env.example` and the settings are the same list."""

import re

from tests.support.tree import ROOT, example_settings

PREFIX = "FOLLOWUP_"


def test_every_setting_stands_in_the_example_and_nothing_else():
    from followup.settings import Settings

    documented = {name for name in example_settings() if name.startswith(PREFIX)}
    assert documented == {PREFIX + name.upper() for name in Settings.model_fields}


def test_what_compose_asks_of_the_operator_stands_in_the_example():
    asked = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert asked
    assert asked == {name for name in example_settings() if not name.startswith(PREFIX)}
