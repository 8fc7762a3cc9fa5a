"""An installed copy is whole: it carries its words, pages and migrations, and nothing of the tests."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable

import pytest

from tests.support.tree import ROOT, project_files

DATA = {".toml", ".html", ".txt", ".j2", ".css", ".js", ".svg", ".woff2", ".typed", ".mako"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel as a release would, without the network."""
    home = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(home)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (built,) = home.glob("followup-*.whl")
    return built


def shipped(names: Iterable[str], package: str) -> set[str]:
    return {name for name in names if name.startswith(f"{package}/")}


def test_the_wheel_holds_every_file_of_the_packages(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    ours = {path.relative_to(ROOT).as_posix() for path in project_files()}
    wanted = {
        name
        for name in ours
        if name.startswith(("followup/", "web/")) and os.path.splitext(name)[1] in DATA | {".py"}
    }
    assert wanted - set(names) == set()


def test_the_wheel_can_migrate_its_own_database(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"followup/_migrations/env.py", "followup/_migrations/versions/0001_initial.py"} <= names


def test_the_wheel_holds_nothing_but_the_two_packages(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"followup", "web"}


def test_an_installed_copy_migrates_a_database_far_from_the_checkout(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import followup, web\n"
        "assert followup.__file__.startswith(sys.argv[1]) and web.__file__.startswith(sys.argv[1])\n"
        "from followup.store import migrate\n"
        "migrate.upgrade(sys.argv[2]); print(migrate.is_current(sys.argv[2]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "installed"), f"sqlite:///{tmp_path / 'db.sqlite3'}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stdout.strip().endswith("True"), told.stderr
