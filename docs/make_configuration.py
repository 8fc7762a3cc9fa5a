"""Write `docs/configuration.md` and `.env.example` from the settings: `python docs/make_configuration.py`.

A test keeps both as this script writes them, so neither is edited by hand.
"""

from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from followup.settings import PREFIX, Settings, unsafe

ROOT = Path(__file__).resolve().parents[1]

_PAGE = """# Configuration

Written by `docs/make_configuration.py` from `followup/settings.py`; a test keeps it up to date.

Every setting is an environment variable, or a line of `.env` in the working directory; the environment wins.
They are read once, when a process starts. What is missing, malformed or unsafe is listed in one go, and the
process does not start. `make demo` makes its own settings and reads no `.env`.

| Setting | Default | Must be set in production | What it is |
|---|---|---|---|
{rows}

`docker-compose.yml` sets `{prefix}DATABASE_URL` and `{prefix}REDIS_URL` itself, and asks for one thing
more: `POSTGRES_PASSWORD`, letters and digits only, since it becomes a part of an address.

## Refused

In every environment: an address of another kind than the table says, a log level that is none, a secret key
of fewer than 32 characters, and a lease shorter than two calls to the carrier.

In production also: the sandbox carrier, a public address without `https://`, no mail server or sender's
address, mail without encryption, another Twilio address, and the log level DEBUG.
"""

_EXAMPLE = """# Copy to .env and fill in; docs/configuration.md says what must be set.
# What stays at its default may be left out.
# Written by docs/make_configuration.py from followup/settings.py.

# Password of the PostgreSQL that docker-compose.yml starts: letters and digits only, such as
# `openssl rand -hex 24` prints.
POSTGRES_PASSWORD=

{settings}
"""


def configuration() -> str:
    """Return the text of `docs/configuration.md`."""
    needed = {name for name, _ in unsafe(Settings.model_construct())}
    rows = [_row(name, field, name in needed) for name, field in Settings.model_fields.items()]
    return _PAGE.format(rows="\n".join(rows), prefix=PREFIX)


def example() -> str:
    """Return the text of `.env.example`."""
    lines = [f"# {_about(name, field)}\n{_name(name)}={_default(field)}" for name, field in _fields()]
    return _EXAMPLE.format(settings="\n\n".join(lines))


def _fields() -> list[tuple[str, FieldInfo]]:
    return list(Settings.model_fields.items())


def _name(name: str) -> str:
    return PREFIX + name.upper()


def _row(name: str, field: FieldInfo, is_needed: bool) -> str:
    default = _default(field)
    return (
        f"| `{_name(name)}` | {f'`{default}`' if default else ''} | {'yes' if is_needed else ''} "
        f"| {_about(name, field)} |"
    )


def _about(name: str, field: FieldInfo) -> str:
    # A setting without a description is told by its name.
    return " ".join(filter(None, (field.description or f"The {name.replace('_', ' ')}.", _bounds(field))))


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "{} or more", "gt": "above {}", "le": "at most {}"}
    found = [
        text.format(bound)
        for rule in field.metadata
        for key, text in words.items()
        if (bound := getattr(rule, key, None)) is not None
    ]
    return f"({', '.join(found)})" if found else ""


def _default(field: FieldInfo) -> str:
    default: Any = field.default
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, Enum):
        return str(default.value)
    return str(default).lower() if isinstance(default, bool) else str(default)


def write() -> None:
    """Write both files."""
    (ROOT / "docs" / "configuration.md").write_text(configuration(), encoding="utf-8")
    (ROOT / ".env.example").write_text(example(), encoding="utf-8")


if __name__ == "__main__":
    write()
