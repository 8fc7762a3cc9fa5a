from copy import deepcopy
from typing import Any

import pytest

from followup.clinical.keywords import (
    KeywordKind,
    KeywordTable,
    StaffCode,
    StaffVerb,
    read_keyword,
    read_staff_code,
)
from followup.clinical.rulebook import Rulebook
from followup.core.errors import ClinicalError
from followup.core.vocabulary import AlertOutcome
from tests.clinical.conftest import tables


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *(
            (word, "STOP")
            for word in (
                "STOP",
                " stop. ",
                "Stop all",
                "UNSUBSCRIBE",
                "¡ALTO!",
                "no más",
                "NO MAS",
                "stop please",
            )
        ),
        *((word, "START") for word in ("START", "unstop", "Iniciar")),
        *((word, "HELP") for word in ("help", "HELP!", "Ayuda", "info")),
        *((word, "YES") for word in ("YES", "yes!", "SÍ", "si", "y", "OK")),
        *((word, "NO") for word in ("no", "N")),
        *((word, "MORE") for word in ("MORE", "más")),
        *((word, word) for word in ("CALL", "LESS", "CRAVE", "PAUSE", "BACK", "PLAN", "ENG", "ESP", "SLEEP")),
        *((word, "CRAVE") for word in ("ganas", "Ganas.")),
        ("NO TIPS", "NO_TIPS"),
    ],
)
def test_a_keyword_alone_acts(text: str, kind: str, rules: Rulebook) -> None:
    got = read_keyword(text, rules.keywords)
    assert (got.kind, got.alone, got.clear) == (KeywordKind(kind), True, kind == "STOP")


@pytest.mark.parametrize(
    "text",
    [
        "please quit texting me",
        "Stop texting me",
        "pls take me off this list",
        "ya no me manden mensajes",
        "stop, I want to die",
        "STOP. took the whole bottle",
        "no more texts please",
        "STOP NOW",
        "please stop it",
        "STOP THIS NOW",
        "please stop now",
        "stop stop stop",
        "ok stop",
        "don't text me",
        "do not text",
        "cancel texts",
        "cancel my texts",
        "end texts",
        "end these messages",
        "pare ya por favor",
    ],
)
def test_a_clear_sentence_opts_out(text: str, rules: Rulebook) -> None:
    got = read_keyword(text, rules.keywords)
    assert (got.kind, got.clear, got.alone) == (KeywordKind.STOP, True, False)


@pytest.mark.parametrize(
    "text",
    [
        "I want to quit these pills",
        "cant stop taking them",
        "please stop the pain",
        "when do i stop the pills",
        "it will not stop bleeding",
        "quiero dejar de tomar",
        "thanks",
        "",
        "quit smoking",
        "i want to stop these pills",
        "stop taking",
        "can i stop the medicine",
        "when does the pain stop",
        "i want to end it",
        "end it now",
        "no more",  # as likely of pills, beside "any left?"
        "no more pain",
    ],
)
def test_other_uses_of_the_words_are_no_opt_out(text: str, rules: Rulebook) -> None:
    got = read_keyword(text, rules.keywords)
    assert (got.kind, got.unclear_optout) == (None, False)


@pytest.mark.parametrize("text", ["i wish these would stop", "please stop them", "stop these now"])
def test_an_unclear_one_is_left_to_a_person(text: str, rules: Rulebook) -> None:
    got = read_keyword(text, rules.keywords)
    assert (got.kind, got.unclear_optout) == (None, True)


@pytest.mark.parametrize(
    "text", ["Liked “Take care”", 'Loved "Great job"', "Le gustó “Guarde”", "Reaccionó ❤ a «Hola»"]
)
def test_a_phone_reaction_is_no_message(text: str, rules: Rulebook) -> None:
    assert read_keyword(text, rules.keywords).reaction


@pytest.mark.parametrize(
    "text",
    [
        "Liked “Take care” but i cant breathe",
        "Loved my “new” pills and now the room is “spinning”",
        "Liked it",
        "Removed my “stitches”",
        "“Take care”",
    ],
)
def test_own_words_beside_a_quotation_are_a_message(text: str, rules: Rulebook) -> None:
    assert not read_keyword(text, rules.keywords).reaction


def test_fix_carries_the_right_number(rules: Rulebook) -> None:
    got = read_keyword("FIX 4", rules.keywords)
    assert (got.kind, got.number) == (KeywordKind.FIX, "4")
    assert read_keyword("fix", rules.keywords).number is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A 1047", StaffCode(StaffVerb.TAKE, "1047", None)),
        ("a1047", StaffCode(StaffVerb.TAKE, "1047", None)),
        ("E 1047.", StaffCode(StaffVerb.PASS_ON, "1047", None)),
        ("R 1047 1", StaffCode(StaffVerb.CLOSE, "1047", AlertOutcome.CALLED)),
        ("r1047 4", StaffCode(StaffVerb.CLOSE, "1047", AlertOutcome.NO_NEED)),
        ("R 1047", StaffCode(StaffVerb.CLOSE, "1047", None)),
        ("T 0003", StaffCode(StaffVerb.TAKE_OVER, "0003", None)),
        ("A 1047 1", None),
        ("R 1047 5", None),
        ("A 104", None),
        ("A 10470", None),
        ("B 1047", None),
        ("A 1047" + " " * 50, None),
        ("", None),
    ],
)
def test_a_staff_code_is_read_strictly(text: str, code: StaffCode | None) -> None:
    assert read_staff_code(text) == code


@pytest.mark.parametrize(
    ("key", "words", "why"),
    [
        ("BOO", ["boo"], "no keyword of that name"),
        ("HELP", ["stop"], "two families"),
        ("HELP", ["Help"], "plain lower case"),
        ("HELP", [], "families without words: HELP"),
    ],
)
def test_a_mistake_in_a_family_is_named(key: str, words: list[str], why: str) -> None:
    table: Any = deepcopy(tables()["keywords.toml"])
    table["families"][key] = {"words": words, "source": "x", "mark": "J"}
    with pytest.raises(ClinicalError, match=rf"keywords\.toml.*{why}"):
        KeywordTable.from_table(table)


@pytest.mark.parametrize("phrase", ["~ stop", "stop ~", "?stop now", "st* me", "STOP", "a|", "más"])
def test_a_phrase_that_cannot_be_is_named(phrase: str) -> None:
    table: Any = deepcopy(tables()["keywords.toml"])
    table["sentences"]["clear"] = [phrase]
    with pytest.raises(ClinicalError, match=r"keywords\.toml: sentences: clear"):
        KeywordTable.from_table(table)
