"""`followup db` takes a database up and down, and `followup` itself refuses in plain words."""

import shutil

import click
import pytest

from followup import __version__, cli
from followup.core.errors import SettingsError
from followup.store import migrate


@pytest.fixture
def empty(monkeypatch, surroundings, empty_database_url):
    monkeypatch.setenv("FOLLOWUP_DATABASE_URL", empty_database_url)
    return empty_database_url


def test_upgrade_and_downgrade_move_the_database(run, empty):
    assert run("db", "upgrade").stdout == "The database is at head.\n"
    assert migrate.is_current(empty)
    assert run("db", "downgrade", "base").stdout == "The database is at base.\n"
    assert not migrate.is_current(empty)
    assert run("db", "upgrade", "0001").exit_code == 0


def test_a_downgrade_needs_its_revision(run, empty):
    assert run("db", "downgrade").exit_code == 2


def test_revision_writes_the_next_migration(run, surroundings, tmp_path, monkeypatch):
    copy = tmp_path / "checkout"
    shutil.copytree(migrate._ROOT / "migrations", copy / "migrations")
    monkeypatch.setattr(migrate, "_ROOT", copy)
    assert run("db", "revision", "-m", "nothing new", "--number", "9999").exit_code == 0
    assert list((copy / "migrations" / "versions").glob("9999*.py"))


def test_without_settings_nothing_is_started(run, surroundings, monkeypatch):
    monkeypatch.delenv("FOLLOWUP_DATABASE_URL")
    with pytest.raises(SettingsError, match="FOLLOWUP_DATABASE_URL"):
        run("db", "upgrade")


# --- the command itself ---


def main(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["followup", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_a_refusal_is_said_in_plain_words(monkeypatch, surroundings, capsys):
    monkeypatch.delenv("FOLLOWUP_DATABASE_URL")
    assert main(monkeypatch, "db", "upgrade") == 1
    assert "FOLLOWUP_DATABASE_URL: say where the database is." in capsys.readouterr().err


def test_a_wrong_use_is_said_with_its_usage(monkeypatch, capsys):
    assert main(monkeypatch, "db", "sideways") == 2
    assert "No such command" in capsys.readouterr().err
    assert main(monkeypatch, "surprise") == 2


def test_ctrl_c_is_no_traceback(monkeypatch):
    def interrupted(**_):
        raise click.Abort

    monkeypatch.setattr(cli.group, "main", interrupted)
    assert main(monkeypatch, "db") == 130


def test_a_command_that_ends_well_says_its_word(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["followup", "--version"])
    cli.main()
    assert __version__ in capsys.readouterr().out


def test_commands_are_listed_in_order_and_each_is_there():
    context = click.Context(cli.group)
    assert cli.group.list_commands(context) == sorted(cli.COMMANDS)
    for name in ("check-content", "db", "demo", "staff", "sweep"):
        assert cli.group.get_command(context, name) is not None
    assert cli.group.get_command(context, "surprise") is None
