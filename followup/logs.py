"""Write logs as JSON lines that hold ids, never a person; numbers and addresses are struck out."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

#: Seven digits and more in a row (spaces, dots, dashes, brackets between); no ISO date, and not inside an id.
#: A plus, an at sign or a space may stand as a web form writes it.
_GAP = r"(?:[ .()-]|%20|%28|%29|%2[Dd]){0,2}"
_NUMBER = re.compile(
    rf"(?:%2[Bb]|(?<![\w-])(?!\d{{4}}-\d\d-\d\d(?!\d))\+?)(?:%28)?\d(?:{_GAP}\d){{6,14}}(?![\w-])"
)
_ADDRESS = re.compile(r"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")

Line = MutableMapping[str, Any]


def struck_out(text: str) -> str:
    """Return the text without phone numbers and e-mail addresses."""
    return _ADDRESS.sub("[address]", _NUMBER.sub("[number]", text))


def _strike_out(_logger: Any, _method: str, line: Line) -> Line:
    for key, value in line.items():
        # Times have digits in a row too; they are ours.
        if isinstance(value, str) and key != "timestamp":
            line[key] = struck_out(value)
    return line


def configure(level: str) -> None:
    """Send this process's log, from `level` on, to standard error as JSON lines; safe to call again."""
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _strike_out,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [
        one for one in root.handlers if isinstance(one.formatter, structlog.stdlib.ProcessorFormatter)
    ]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
