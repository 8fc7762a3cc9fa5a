"""Read the checkout: which files are ours, what their Python says, what the deployment files name."""

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def git(*arguments: str) -> str | None:
    """Return what git says, or None outside a repository or where git refuses."""
    told = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return told.stdout if told.returncode == 0 else None


@cache
def project_files() -> tuple[Path, ...]:
    """List the project's own files: what git tracks or would track."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    assert listed is not None, "not a git checkout"
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def text_files() -> Iterator[tuple[str, str]]:
    """Yield (path in the checkout, text) of each of the project's files that is text."""
    for path in project_files():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def modules(*packages: str) -> list[Path]:
    """List the Python files of our packages."""
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@cache
def compose() -> dict[str, Any]:
    """Read docker-compose.yml."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return read


def compose_command(service: str) -> list[str]:
    """Return the command that docker-compose.yml gives a service, as a list of words."""
    command = compose()["services"][service]["command"]
    return shlex.split(command) if isinstance(command, str) else [str(word) for word in command]


def procfile() -> dict[str, list[str]]:
    """Read Procfile: process name to command."""
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if line.strip())
    return {name: shlex.split(command) for name, command in pairs}


def example_settings() -> dict[str, str]:
    """Read .env.example: each name with its example, also where the line is commented out."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^(?:#\s*)?([A-Z][A-Z0-9_]+)=(.*)$", text, re.MULTILINE))


def tool(name: str) -> str:
    """Return the path of a command of the environment that runs these tests."""
    return os.fspath(Path(sys.executable).parent / name)
