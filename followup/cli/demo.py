"""`followup demo`: the whole service on this machine, with a sandbox phone for everybody."""

from pathlib import Path

import click

from followup.embedded import supervisor
from followup.embedded.folder import default_path


@click.command("demo")
@click.option("--port", default=supervisor.PORT, show_default=True, help="Used if it is free.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=None, help="Data folder.")
@click.option("--keep", is_flag=True, help="Keep the data when it ends, and use what was kept.")
def command(port: int, data: Path | None, keep: bool) -> None:
    """Start everything, with made-up patients, on 127.0.0.1 only. Ctrl-C ends it all."""
    supervisor.run((data or default_path()).resolve(), port=port, keep=keep)
