"""Run commands as a shell would, against a database of their own."""

import pytest
from click.testing import CliRunner

from followup.settings import settings_from_environment


@pytest.fixture
def surroundings(monkeypatch, tmp_path, database_url):
    """Set what a test installation needs; commands read it from the environment."""
    monkeypatch.chdir(tmp_path)
    values = {
        "ENVIRONMENT": "test",
        "CARRIER": "sandbox",
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "k" * 32,
        "PUBLIC_URL": "http://127.0.0.1:8000",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"FOLLOWUP_{name}", value)
    settings_from_environment.cache_clear()
    yield
    settings_from_environment.cache_clear()


@pytest.fixture
def run():
    """Return a function that runs `followup` with arguments; it raises what the command raises."""
    from followup.cli import group

    def run(*arguments, **how):
        return CliRunner().invoke(group, list(arguments), catch_exceptions=False, **how)

    return run
