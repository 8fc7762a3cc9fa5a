"""Nobody comes in by a door that was forgotten."""

import re

import pytest

#: The addresses that are open to everybody. A new one is a decision: add it here with its reason in the code.
OPEN = re.compile(
    r"^/(static/.*|sign-in|help/keys|healthz|readyz|a/.*|c/.*|y/.*|p/.*|t/.*|h/.*|h|d/.*|webhooks/.*)$"
)


def rules(app):
    return [
        (rule, app.view_functions[rule.endpoint], sorted(rule.methods - {"HEAD", "OPTIONS"}))
        for rule in app.url_map.iter_rules()
    ]


def is_public(view):
    return getattr(view, "__public__", None) is not None


def test_every_public_address_is_listed_here_and_gives_its_reason(app):
    for rule, view, _ in rules(app):
        if is_public(view):
            assert OPEN.match(rule.rule), f"{rule.rule} is public but not listed"
            assert len(view.__public__) > 10, f"{rule.rule}: say why it is public"


def test_every_other_address_sends_a_visitor_to_the_door(app, visitor):
    walked = 0
    for rule, view, methods in rules(app):
        if is_public(view) or rule.endpoint == "static":
            continue
        address = re.sub(r"<[^>]+>", "nothing1", rule.rule)
        for method in methods:
            answer = visitor.client.open(address, method=method)
            walked += 1
            if method == "GET":
                assert answer.status_code == 302, f"{method} {rule.rule}"
                assert answer.location.startswith("/sign-in")
            else:
                assert answer.status_code == 401, f"{method} {rule.rule}"
    assert walked > 10


@pytest.mark.parametrize("address", ["/patients/pat_nothing", "/alerts/alt_nothing", "/nowhere"])
def test_an_address_that_holds_nothing_is_404_for_staff(nurse, address):
    nurse.text(address, status=404)
