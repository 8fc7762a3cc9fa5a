"""The law for texts: what ships obeys it, and each kind of fault is caught."""

import re
from dataclasses import replace

import pytest

from followup.core.vocabulary import Channel, Language
from followup.messages import lint
from followup.messages.catalog import Review
from followup.messages.readability import (
    ease,
    english_syllables,
    grade,
    spanish_syllables,
    spanish_words,
    spell_links,
)
from followup.messages.wording import AnswerRange, Field
from tests.content.planting import with_words, without

EN, ES = Language.EN, Language.ES
LONG = "aaaa aaa. " * 31


def test_what_ships_obeys_the_law(catalog, faults_of):
    assert faults_of(catalog) == ""


def test_the_summary_says_what_the_draft_said(catalog, events):
    lines = "\n".join(lint.summary(catalog, events))
    assert "368 messages: checkin 29, consent 13, education 53, email 9" in lines
    assert "138 events" in lines
    assert (
        "SMS 225: one segment en 132, es 124; most 2; longest en 272, es 264 (limit 306 with prefix)" in lines
    )
    assert "grade (en): highest 6.0, mean 1.7 over 283 texts" in lines
    assert re.search(r"ease \(es\): lowest \d\d\.\d", lines)


def test_no_spanish_text_is_harder_than_the_law_allows(catalog, events):
    lowest = re.search(r"lowest ([\d.]+)", lint.summary(catalog, events)[-1])
    assert lowest is not None
    assert float(lowest[1]) >= 55


# key, language, change, what the fault must say
WORDS = {
    "a drug in a text": (
        "edu_storage",
        EN,
        "Lock up your oxycodone.",
        "education/edu_storage/en: drug word: oxycod",
    ),
    "a drug in Spanish": ("edu_storage", ES, "Guarde la morfina.", "drug word: morfina"),
    "an operation": ("edu_wound", EN, "Keep your knee dry.", "clinic word: knee"),
    "a diagnosis": ("edu_wound", ES, "Su cáncer sana.", "clinic word: cancer"),
    "a strength": ("edu_wound", EN, "Take 5 mg.", "clinic word: 5 mg"),
    "blame": ("edu_storage", EN, "You forgot to lock them.", "blame word: you forgot"),
    "blame in Spanish": ("edu_storage", ES, "Se le olvidó.", "blame word: se le olvido"),
    "a sign outside GSM": ("edu_storage", EN, "Lock them up ✓", "not GSM-7: ✓"),
    "a text too long": ("edu_storage", EN, LONG, "too long: 326 of 306"),
    "a sign glued to a link": ("checkin_link", EN, "Go on here: {link}.", "glued to the link"),
    "what a score means": ("ask_pain", EN, "Your pain is severe. 0-10?", "tells what a score means: severe"),
    "what a score means in Spanish": (
        "ask_pain",
        ES,
        "Su puntaje es 7.",
        "tells what a score means: su puntaje",
    ),
    "addiction outside education": ("ask_pain", EN, "Is it addiction?", "addiction word outside education"),
    "advice to take more": (
        "edu_storage",
        EN,
        "If it hurts, take more.",
        "may read as advice to take more: take more",
    ),
    "capitals that are no keyword": ("ask_pain", EN, "Reply NOW.", "NOW in capitals is no keyword"),
    "a carrier word": ("edu_storage", EN, "Text HELP for tips.", "carrier word outside consent texts: HELP"),
    "YES where it is no answer": ("edu_storage", EN, "Reply YES.", "YES is asked where it is no answer"),
    "SI where it is no answer": ("edu_storage", ES, "Responda SI.", "SI is asked where it is no answer"),
    "a curly quote": ("edu_storage", EN, "It’s safe.", "typographic sign"),
    "a stray brace": ("edu_storage", EN, "Lock {them up.", "stray brace"),
    "a field in one language only": (
        "edu_storage",
        EN,
        "Call {phone}.",
        "fields differ between en and es: phone",
    ),
    "an unknown field": ("edu_storage", EN, "Hi {patient_name}.", "unknown field: patient_name"),
    "a fields list that is wrong": (
        "edu_storage",
        EN,
        "Call {phone}.",
        "the fields list is wrong; it should be org, phone",
    ),
    "tú": ("edu_storage", ES, "Guarda tus pastillas.", "tú form: tus"),
    "the same in both languages": ("edu_storage", ES, None, "the languages hold the same text"),
    "an empty text": ("edu_storage", ES, "  ", "education/edu_storage/es: no text; every language needs one"),
    "a hard text": (
        "edu_storage",
        EN,
        "Considerable precautions regarding accessibility necessitate comprehensive organization always.",
        "over 6.0; use shorter words",
    ),
    "a hard Spanish text": (
        "edu_storage",
        ES,
        "Precauciones considerables con medicamentos necesitan organizaciones institucionales permanentes.",
        "under 55.0; use shorter words",
    ),
    "an emergency text without 911": (
        "auto_emergency",
        EN,
        "Get help now.",
        "safety/auto_emergency/en: must say 911",
    ),
    "an invitation without a way out": (
        "consent_invite",
        ES,
        "{org}: SI? 911",
        "consent/consent_invite/es: must say STOP",
    ),
    "an invitation without rates": (
        "consent_invite",
        EN,
        "{org}: YES or STOP. 911",
        "must say Msg&data rates may apply",
    ),
    "a crisis text without 988": ("auto_suicide", EN, "Call 911.", "safety/auto_suicide/en: must say 988"),
    "a poison text without the line": ("auto_took_a_lot", ES, "Llame al 911.", "must say 1-800-222-1222"),
    "a closed text without a number": ("auto_urgent_closed", EN, "Call 911.", "must say {oncall}"),
    "staff told of a patient's plan": ("staff_page_urgent", EN, "Now at {n}.", "holds patient data: n"),
    "staff told something clinical": ("staff_page_urgent", EN, "Low mood.", "holds a clinical word: mood"),
    "a drug in mail": ("email_wrapper", EN, "Your Narcan is here.", "drug word in mail: narcan"),
}


@pytest.mark.parametrize(("key", "language", "text", "said"), WORDS.values(), ids=WORDS)
def test_law_catches(catalog, faults_of_text, key, language, text, said):
    planted = with_words(catalog, key, language, text=catalog.get(key).texts[EN] if text is None else text)
    assert said in faults_of_text(planted, key)


@pytest.mark.parametrize(
    "text", ["Do not take more.", "Never take more.", "It is not safe. To take more is not safe."]
)
def test_a_warning_against_taking_more_is_no_advice(catalog, faults_of_text, text):
    assert "take more" not in faults_of_text(with_words(catalog, "edu_storage", text=text), "edu_storage")


ENTRIES = {
    "a key in capitals": ({"key": "Edu-Storage"}, "the id may hold small letters"),
    "no channel": ({"channels": ()}, "no channel"),
    "an unknown audience": ({"audience": "neighbour"}, "audience neighbour does not fit the file"),
    "a staff text among patients' texts": ({"audience": "staff"}, "audience staff does not fit the file"),
    "an unknown question": ({"asks": "weather"}, "asks weather is unknown"),
    "no source": ({"source": " "}, "no source"),
    "an unknown variant": ({"hidden_variant": "nonsense"}, "hidden_variant nonsense is unknown"),
    "a variant that asks something else": (
        {"closed_variant": "ask_pain"},
        "closed_variant ask_pain asks something else",
    ),
    "no subject": ({"subjects": {}}, "education/edu_storage/en: no subject on a text that goes by mail"),
    "a subject that says too much": (
        {"subjects": {EN: "Your pain", ES: "Su dolor"}},
        "the subject says too much: pain",
    ),
    "a drug in a subject": ({"subjects": {EN: "Narcan", ES: "Nota"}}, "the subject says too much: narcan"),
    "a subject without mail": ({"channels": (Channel.SMS,)}, "a subject on a text that is no mail"),
    "a missing language": ({"texts": {EN: "Lock them up."}}, "education/edu_storage/es: no text"),
}


@pytest.mark.parametrize(("changes", "said"), ENTRIES.values(), ids=ENTRIES)
def test_law_catches_in_an_entry(catalog, faults_of_text, changes, said):
    assert said in faults_of_text(with_words(catalog, "edu_storage", **changes), "edu_storage")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("ask_pain", "ask_pain: a seed id is gone"),
        ("auto_start", "auto_start: a text that law or safety fixes is gone"),
        ("ask_feedback", "wording.toml/asks: feedback has no question"),
        ("staff_watchdog", "events.toml/staff_watchdog: unknown message staff_watchdog"),
        ("email_footer", "wording.toml/mail: unknown message email_footer"),
    ],
)
def test_law_catches_a_text_that_is_gone(catalog, faults_of, key, said):
    assert said in faults_of(without(catalog, key))


def test_law_catches_a_text_that_nothing_sends(catalog, events):
    assert lint.check(catalog, events) == []
    assert any("nothing sends it" in fault for fault in lint.check(catalog, events, scheduled=()))


def test_law_catches_a_field_and_a_question_that_nothing_uses(catalog, faults_of):
    shared = catalog.wording
    fields = {**shared.fields, "shoe": Field("Shoe size", {EN: "9", ES: "42"})}
    asks = {**shared.asks, "shoe": AnswerRange("0-60")}
    faults = faults_of(replace(catalog, wording=replace(shared, fields=fields, asks=asks)))
    assert "wording.toml/fields: shoe is used nowhere" in faults
    assert "wording.toml/asks: shoe has no question" in faults


@pytest.mark.parametrize(
    ("review", "said"),
    [
        (Review("", "draft", "never"), "es/taper.toml: no owner"),
        (Review("x", "draft", "2026-01-05"), "es/taper.toml: status and reviewed_on disagree"),
        (Review("x", "approved", "never"), "es/taper.toml: status and reviewed_on disagree"),
        (Review("x", "", ""), "es/taper.toml: status and reviewed_on disagree"),
    ],
)
def test_law_catches_a_review_that_is_claimed_or_unowned(catalog, faults_of, review, said):
    reviews = {**catalog.reviews, "es/taper.toml": review}
    assert said in faults_of(replace(catalog, reviews=reviews))


def test_an_approved_file_with_its_date_is_lawful(catalog, faults_of):
    reviews = {**catalog.reviews, "es/taper.toml": Review("x", "approved", "2026-01-05")}
    assert faults_of(replace(catalog, reviews=reviews)) == ""


def test_any_sms_with_a_planted_drug_is_caught(catalog, faults_of_text):
    for one in catalog:
        if Channel.SMS in one.channels:
            planted = with_words(catalog, one.key, text=one.texts[EN] + " Tylenol")
            assert f"/{one.key}/en: drug word: tylenol" in faults_of_text(planted, one.key)


# --- the measures themselves ---


@pytest.mark.parametrize(
    ("word", "count"),
    [
        *(("día", 2), ("después", 2), ("ahora", 3), ("muy", 1), ("hoy", 1), ("cuidado", 3), ("leer", 2)),
        *(("que", 1), ("guitarra", 3), ("agua", 2), ("y", 1), ("yo", 1), ("pingüino", 3), ("país", 2)),
        *(("veintiún", 2), ("911", 1), ("pastillas", 3), ("médico", 3), ("prohibido", 4), ("ciudad", 2)),
    ],
)
def test_spanish_syllables(word, count):
    assert spanish_syllables(word) == count


@pytest.mark.parametrize(
    ("word", "count"),
    [("the", 1), ("911", 1), ("pills", 1), ("taken", 2), ("table", 2), ("doctor", 2), ("yellow", 2)],
)
def test_english_syllables(word, count):
    assert english_syllables(word) == count


def test_the_formulas_by_hand():
    # 6 words, 1 sentence, 6 syllables: 0.39 * 6 + 11.8 - 15.59
    assert grade("The cat sat on the mat.") == -1.4
    # 4 words, 2 sentences, 7 syllables: 206.84 - 60 * 7 / 4 - 1.02 * 2
    assert ease("El gato come. Bebe.") == 99.8


def test_links_end_their_sentence_only_where_a_new_one_follows():
    assert spell_links("Ver {link} Llame.", "el enlace") == "Ver el enlace. Llame."
    assert spell_links("Ver {link} o llame.", "el enlace") == "Ver el enlace o llame."
    assert spanish_words("Llame al {phone} a las 3") == 4
