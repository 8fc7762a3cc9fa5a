"""No query that a page may ask forgets the clinic: `organization_id` stands right after `session`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tree import ROOT, modules

QUERIES = ROOT / "followup" / "store" / "queries"
_ROW = "takes the key of a row that was found within its clinic"
_LINK = "the digest of a secret token finds its row, and the row says its clinic"
_SIGN_IN = "an address signs in at one clinic only; who it is comes before which clinic"
#: Queries that look across clinics, or ask by the key of a row: each by name, with its reason.
ACROSS: dict[str, str] = {
    "alerts.already_paged": _ROW,
    "alerts.due_alerts": "escalation climbs for every clinic",
    "batch.insert_many": "writes what its caller made",
    "batch.update_many": "writes what its caller made",
    "consents.was_shown": _ROW,
    "consents.unanswered_invitations": "the chase serves every clinic",
    "demo_time.is_under_way": "the demo's clock is one for the installation",
    "demo_time.next_instant": "the demo's clock is one for the installation",
    "health.beat_at": "the pulse of the installation",
    "inbound.answers_to": _ROW,
    "inbound.lock_patient": _ROW,
    "inbound.organization_of": "the number that was written to says which clinic it is",
    "inbound.take": "web and sweep take one stored text by its key",
    "inbound.unprocessed": "the sweep serves every clinic",
    "links.opened_link": _LINK,
    "gates.equals": "a part of a query, no query",
    "gates.shut": "the drain serves every clinic",
    "outbound.attempts": "the drain serves every clinic",
    "outbound.clinics": "the drain serves every clinic",
    "outbound.expired": "expiry serves every clinic",
    "outbound.lateness": "the watch serves every clinic",
    "outbound.lease_ran_out": "leases are looked after for every clinic",
    "outbound.scheduled_between": _ROW,
    "paged.page_link": _LINK,
    "plans.active_consents": _ROW,
    "plans.past_their_end": "courses end in every clinic",
    "plans.patients_by_id": _ROW,
    "plans.planned_rows": _ROW,
    "plans.revoke": _ROW,
    "plans.running_tapers": _ROW,
    "plans.steps_of_many": _ROW,
    "sandbox.home": "the demo has one clinic",
    "staff.for_sign_in": _SIGN_IN,
    "staff.is_taken": _SIGN_IN,
    "tapers.plans_to_hold": "the auto-hold serves every clinic",
    "tapers.steps_of": _ROW,
}
#: Of those, the ones that a page may ask: each knows no clinic yet when it is asked.
BEFORE_A_CLINIC_IS_KNOWN = {
    "health.beat_at",
    "links.opened_link",
    "paged.page_link",
    "sandbox.home",
    "staff.for_sign_in",
}


def public_functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def arguments(function: ast.FunctionDef) -> list[str]:
    return [one.arg for one in (*function.args.posonlyargs, *function.args.args)]


def asked_by_web() -> set[str]:
    """Return `file.function` for every query that a module of web names."""
    asked = set()
    for path in modules("web"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        files: dict[str, str] = {}
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            if node.module == "followup.store.queries":
                files |= {alias.asname or alias.name: alias.name for alias in node.names}
            elif node.module.startswith("followup.store.queries."):
                asked |= {f"{node.module.rsplit('.', 1)[1]}.{alias.name}" for alias in node.names}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in files
            ):
                asked.add(f"{files[node.value.id]}.{node.attr}")
    return asked


FUNCTIONS = {
    f"{path.stem}.{one.name}": one for path in QUERIES.glob("*.py") for one in public_functions(path)
}


def test_there_are_queries_to_look_at():
    assert len(FUNCTIONS) > 40
    assert len(asked_by_web() & FUNCTIONS.keys()) > 10


def asks_the_store(function: ast.FunctionDef) -> bool:
    """Tell whether a function runs a query; the others build a statement, or a part of one."""
    return arguments(function)[:1] in (["session"], ["connection"])


ASKING = sorted(name for name, one in FUNCTIONS.items() if asks_the_store(one))


@pytest.mark.parametrize("name", [name for name in ASKING if name not in ACROSS])
def test_a_query_takes_the_clinic_right_after_the_session(name):
    function = FUNCTIONS[name]
    assert arguments(function)[:2] == ["session", "organization_id"]
    used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    assert "organization_id" in used, "a clinic that is not asked for protects nobody"


def test_every_exception_is_a_query_without_a_clinic():
    assert [
        name for name in ACROSS if name in ASKING and "organization_id" in arguments(FUNCTIONS[name])
    ] == []


def test_a_page_asks_across_clinics_only_where_no_clinic_is_known_yet():
    assert asked_by_web() & ACROSS.keys() <= BEFORE_A_CLINIC_IS_KNOWN


@pytest.mark.parametrize("file", ["alerts", "consents", "inbound", "outbound", "staff", "tapers"])
def test_a_query_of_the_workers_says_that_it_looks_across_clinics(file):
    serving = [
        name
        for name, why in ACROSS.items()
        if name.startswith(f"{file}.") and "every clinic" in why and name in ASKING
    ]
    words = {name: (ast.get_docstring(FUNCTIONS[name]) or "") for name in serving}
    assert [name for name, said in words.items() if "clinic" not in said] == []
