"""`followup check-content` passes on what is shipped, and names every fault by file and key."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from followup.cli import content
from followup.core.vocabulary import LinkPurpose
from followup.services.knowledge import load_knowledge

SHIPPED = load_knowledge()


def test_the_shipped_content_passes():
    assert content.faults(SHIPPED) == []


def test_the_command_says_pass_and_counts_what_it_read(run):
    result = run("check-content")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[-1] == "PASS"
    assert lines[0].startswith(f"{len(SHIPPED.catalog)} messages: ")
    assert [line.split()[0] for line in lines if "taking to the end" in line] == ["SHORT", "LONG", "PRN"]


def without(mapping, key):
    return {name: value for name, value in mapping.items() if name != key}


def broken_plan():
    plan = SHIPPED.protocols["default"]
    actions = tuple(
        replace(one, messages=("no_such_text",)) if one.id == "C1" else one for one in plan.actions
    )
    return {"default": replace(plan, actions=actions)}


BROKEN = {
    "a link that opens nothing": (
        {"links": without(SHIPPED.links, "checkin_link")},
        "links.toml/checkin_link: its text has a {link}",
    ),
    "a line for a text that does not exist": (
        {"links": {**SHIPPED.links, "edu_nothing": LinkPurpose.HELP}},
        "links.toml/edu_nothing: no text of that name has a {link}",
    ),
    "a line for a text without a link": (
        {"links": {**SHIPPED.links, "edu_storage": LinkPurpose.HELP}},
        "links.toml/edu_storage: no text",
    ),
    "a plan with an unknown text": ({"protocols": broken_plan()}, "default.toml: action C1: unknown message"),
    "a tier without a policy": ({"escalation": {}}, "escalation.toml: "),
    "a text that no plan sends": ({"protocols": {}}, "edu_storage"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_planted_fault_is_found_by_file_and_key(fault):
    changes, words = BROKEN[fault]
    assert any(words in one for one in content.faults(replace(SHIPPED, **changes)))


def test_with_faults_the_command_prints_them_and_fails(monkeypatch):
    broken = replace(SHIPPED, links=without(SHIPPED.links, "checkin_link"))
    monkeypatch.setattr(content, "load_knowledge", lambda: broken)
    result = CliRunner().invoke(content.command, catch_exceptions=False)
    assert result.exit_code == 1
    assert result.stderr.startswith("links.toml/checkin_link: ")
    assert result.stdout.splitlines()[-1] == "1 faults"
