"""Nothing in the project names a package index or a place on one machine."""

import json
import re

import pytest

from tests.support.tree import ROOT, text_files

INDEX = re.compile(r"pypi\.org|pythonhosted\.org|registry\.(?:npmjs|yarnpkg)\.|conda\.anaconda")
MACHINE = re.compile(r"(?<![\w.~}])/(?:work|root|home|Users)/\w")


def test_no_file_names_a_package_index():
    assert [name for name, text in text_files() if INDEX.search(text)] == []


def test_no_file_holds_a_path_of_one_machine():
    assert {name: hit[0] for name, text in text_files() if (hit := MACHINE.search(text))} == {}


@pytest.mark.parametrize("lock", ["base.lock", "dev.lock"])
def test_a_python_lock_pins_everything_by_hash_and_carries_no_address(lock):
    text = (ROOT / "requirements" / lock).read_text()
    assert not re.search(r"https?://|file:|^\s*-(?!-hash)", text.replace("--hash=", ""), re.MULTILINE)
    pins = re.findall(r"^[a-z0-9][\w.\-\[\]]*==\S+", text, re.MULTILINE)
    hashed = re.findall(r"^[a-z0-9][\w.\-\[\]]*==[^\n]*\\\n\s+--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(pins) > 40
    assert len(hashed) == len(pins)


def test_every_pin_of_the_service_is_the_same_for_its_tests():
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / lock).read_text(), re.MULTILINE))

    assert pins("base.lock") <= pins("dev.lock")


def test_the_node_lock_has_checksums_and_no_address():
    packages = json.loads((ROOT / "tests" / "package-lock.json").read_text())["packages"]
    installed = [package for name, package in packages.items() if name]
    assert installed
    assert all("integrity" in package and "resolved" not in package for package in installed)
