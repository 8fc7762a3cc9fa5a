"""Clinicians can read in the changelog what changed for their patients."""

import re

import pytest

from tests.support.tree import ROOT, git

CLINICAL = ("followup/clinical/", "followup/messages/", "followup/protocols/")
SECTIONS = {"Added", "Changed", "Fixed", "Clinical"}


def test_the_changelog_begins_with_what_is_not_yet_released():
    text = (ROOT / "CHANGELOG.md").read_text()
    first, *_ = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert first.startswith("Unreleased\n")
    assert re.search(r"^### Clinical\n\n- ", first, re.MULTILINE)


def test_every_section_is_one_of_the_four_kinds_and_says_something():
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.findall(r"^### (.+)\n+(.*)$", text, re.MULTILINE)
    assert {title for title, _ in sections} <= SECTIONS
    assert all(line.startswith("- ") for _, line in sections)


def test_a_change_of_rules_words_or_plans_comes_with_a_line_in_the_changelog():
    base = (git("merge-base", "HEAD", "origin/main") or "").strip()
    if not base:
        pytest.skip("no origin/main to compare with")
    changed = (git("diff", "--name-only", base) or "").splitlines()
    if any(name.startswith(CLINICAL) for name in changed):
        assert "CHANGELOG.md" in changed
