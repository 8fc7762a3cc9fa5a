"""Packaged files are read once; a broken one is refused by name."""

import pytest

from followup.core.datafiles import load_bytes, load_toml
from followup.core.errors import ContentError


def test_a_file_is_read_once():
    assert load_toml("followup.messages", "links.toml") is load_toml("followup.messages", "links.toml")


def test_a_missing_file_is_named():
    with pytest.raises(ContentError, match=r"followup\.messages/nothing\.toml: the file is missing"):
        load_bytes("followup.messages", "nothing.toml")


@pytest.mark.parametrize("broken", [b'key = "open', b"\xff\xfe"])
def test_a_broken_file_is_named(broken, tmp_path, monkeypatch):
    package = tmp_path / f"content_{len(broken)}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "words.toml").write_bytes(broken)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ContentError, match=r"words\.toml: "):
        load_toml(package.name, "words.toml")
