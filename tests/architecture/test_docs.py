"""The documents say what is true: settings, commands, files, words and links that exist."""

import re
import runpy
from enum import IntFlag, StrEnum
from pathlib import Path

import pytest

from followup.cli import COMMANDS
from followup.core import vocabulary
from tests.support.tree import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
IN_THE_CHECKOUT = re.compile(
    r"`((?:followup|web|tests|docs|migrations|benchmarks|requirements|\.ci)/[\w./*\[\]-]*)`"
)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _exists(pattern: str) -> bool:
    return any(ROOT.glob(pattern.rstrip("/")))


@pytest.mark.parametrize(
    ("file", "writer"), [("docs/configuration.md", "configuration"), (".env.example", "example")]
)
def test_what_is_written_from_the_settings_is_up_to_date(file, writer):
    script = runpy.run_path(str(ROOT / "docs" / "make_configuration.py"))
    assert _text(ROOT / file) == script[writer](), "run: python docs/make_configuration.py"


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_link_inside_the_project_leads_to_a_file(document):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", _text(document))
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_file_that_a_document_names_is_there(document):
    assert [path for path in IN_THE_CHECKOUT.findall(_text(document)) if not _exists(path)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_command_that_a_document_shows_is_one_of_ours(document):
    text = _text(document)
    targets = set(re.findall(r"^([a-z-]+):.*## ", _text(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"(?:`|bin/|web )followup ([a-z][a-z-]*)", text)) <= set(COMMANDS)


@pytest.mark.parametrize("decision", DECISIONS, ids=_name)
def test_a_decision_says_context_decision_and_consequences(decision):
    assert re.findall(r"^## (.+)$", _text(decision), re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert _text(decision).startswith(f"# {'NNNN' if decision.name[:4] == '0000' else decision.name[:4]}: ")


def test_decisions_are_numbered_without_gaps_and_stand_in_the_index():
    index = _text(ROOT / "docs" / "index.md")
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(len(DECISIONS)))
    assert [path.name for path in DECISIONS if f"adr/{path.name}" not in index] == []


def test_the_glossary_holds_every_word_of_the_vocabulary():
    words = [
        one
        for one in vars(vocabulary).values()
        if isinstance(one, type) and issubclass(one, StrEnum | IntFlag) and one not in (StrEnum, IntFlag)
    ]
    assert len(words) > 20
    glossary = _text(ROOT / "docs" / "glossary.md")
    missing = {kind.__name__: _not_in(glossary, kind) for kind in words}
    assert {kind: lost for kind, lost in missing.items() if lost} == {}


def _not_in(glossary: str, kind: type[StrEnum] | type[IntFlag]) -> list[str]:
    lines = [line for line in glossary.splitlines() if re.search(rf"\b{kind.__name__}\b", line)]
    told = {word for line in lines for word in re.findall(r"`([^`]+)`", line)}
    values = [one.value if isinstance(one, StrEnum) else one.name.lower() for one in kind]
    return [value for value in values if value not in told]
