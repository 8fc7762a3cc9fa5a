"""The `followup` command: one file a family, loaded only when it is called."""

import sys
from collections.abc import Mapping
from importlib import import_module

import click

from followup import __version__
from followup.core.errors import FollowupError

#: Command -> module of `followup.cli` that holds it as `command`.
COMMANDS: Mapping[str, str] = {
    "check-content": "content",
    "db": "db",
    "demo": "demo",
    "replay": "replay",
    "staff": "staff",
    "sweep": "sweep",
}


class _LazyGroup(click.Group):
    """Import a family's module when it is asked for: `followup demo` stays small, `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(f"followup.cli.{module}").command
        return command


@click.group(cls=_LazyGroup)
@click.version_option(__version__, prog_name="followup")
def group() -> None:
    """Look after people in the six weeks after surgery, by text and e-mail."""


def main() -> None:
    """Run the command; a refusal is said in plain words, without a traceback, with exit status 1."""
    try:
        group(standalone_mode=False)
    except FollowupError as refused:
        click.echo(str(refused), err=True)
        sys.exit(1)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except click.Abort:
        sys.exit(130)
