"""The floors hold: imports go down only, and pure rules touch nothing."""

import ast
import subprocess

import pytest

from tests.support.tree import ROOT, modules, tool

JUNK_DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}
SHADOWS = {"celery", "twilio", "email", "redis", "types"}


def test_the_import_contracts_hold():
    checked = subprocess.run(
        [tool("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 broken" in checked.stdout


def test_no_module_is_a_junk_drawer_or_shadows_a_library():
    wrong = [
        path.relative_to(ROOT).as_posix()
        for path in modules("followup")
        if path.stem in JUNK_DRAWERS | SHADOWS or path.parent.name in JUNK_DRAWERS | SHADOWS
    ]
    assert wrong == []


@pytest.mark.parametrize("path", modules("followup/clinical"), ids=lambda path: path.stem)
def test_a_pure_rule_opens_no_file_and_prints_nothing(path):
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    functions = {call.id for call in calls if isinstance(call, ast.Name)}
    methods = {call.attr for call in calls if isinstance(call, ast.Attribute)}
    assert functions & {"open", "print", "input"} == set()
    assert methods & {"open", "read_text", "read_bytes", "now", "utcnow", "today"} == set()
