"""The catalogue and the renderer: what is shipped, what is refused, what goes out."""

import pytest

from followup.core.errors import ContentError
from followup.core.vocabulary import Channel, Language
from followup.messages.catalog import FILES, catalog_from, load_catalog, read_files
from followup.messages.law import load_law
from followup.messages.lint_words import Bench, measured
from followup.messages.render import placeholders, render
from followup.messages.segments import encoding, fold, segments, size
from followup.messages.wording import load_wording
from tests.content.planting import needs_drafts, with_words

SMS, EMAIL, WEB = Channel.SMS, Channel.EMAIL, Channel.WEB
EN, ES = Language.EN, Language.ES
CLINIC = {
    "org": "Riverside Care",
    "phone": "555-201-4477",
    "oncall": "555-201-4499",
    "hours": "Mon-Fri 8 am-5 pm",
}
PREFERENCES = "https://care.example.org/p/xyz"


# --- what is shipped ---


@needs_drafts
def test_every_message_of_the_draft_is_here_word_for_word(catalog, draft):
    assert len(catalog) == len(draft["messages"]) == 368
    for old in draft["messages"]:
        new = catalog.get(old["id"])
        assert (new.kind, new.about, new.audience, new.asks) == (
            old["kind"],
            old["topic"],
            old["audience"],
            old["asks"],
        )
        assert ([*new.channels], [*new.fields], new.source) == (old["channels"], old["fields"], old["source"])
        assert new.texts == {"en": old["en"], "es": old["es"]}
        subjects = {lang: old[f"email_subject_{lang}"] for lang in Language if old[f"email_subject_{lang}"]}
        assert new.subjects == subjects
        for name in ("hidden_variant", "today_variant", "closed_variant", "form_field"):
            assert getattr(new, name) == old.get(name)
        for name in ("default_off", "fragment", "same_text"):
            assert getattr(new, name) == old.get(name, False)


@needs_drafts
def test_lengths_segments_and_grades_are_those_the_draft_measured(catalog, draft):
    bench = Bench.of(load_law(), catalog.wording)
    for old in draft["messages"]:
        message = catalog.get(old["id"])
        assert measured(message, EN, bench) == old["fk_grade"], old["id"]
        if "sms" in old["channels"]:
            for language, shown in ((EN, message.texts[EN]), (ES, fold(message.texts[ES]))):
                text = bench.fill(shown, language)
                text = fold(text) if language is ES else text
                assert (size(text), segments(text)) == (old[f"len_{language}"], old[f"segments_{language}"])


@needs_drafts
def test_the_shared_wording_is_that_of_the_draft(draft):
    shared = load_wording()
    assert shared.version == draft["version"]
    assert shared.fold == draft["fold"]
    assert shared.prefix == draft["prefix"]["text"]
    assert {key: one.answers for key, one in shared.asks.items()} == draft["asks"]
    assert [dict(one.words) for one in shared.keywords] == [
        {"en": k["en"], "es": k["es"]} for k in draft["keywords"]
    ]
    assert shared.staff_codes == draft["staff_codes"]
    assert {
        name: (one.about, one.samples["en"], one.samples["es"]) for name, one in shared.fields.items()
    } == {name: (one["about"], one["sample_en"], one["sample_es"]) for name, one in draft["fields"].items()}


def test_the_answers_of_a_question_are_numbers_for_a_program():
    asks = load_wording().asks
    assert (asks["pain"].low, asks["pain"].high, asks["pain"].step) == (0, 10, 1)
    assert (asks["pills"].low, asks["pills"].high, asks["pills"].step) == (0, 60, 0.5)
    assert asks["side_effect"].many
    assert asks["taper"].yes_no
    assert asks["taper"].words
    assert asks["feedback"].low is None


def test_no_file_claims_a_review_that_did_not_happen(catalog):
    assert len(catalog.reviews) == 20
    assert {(one.status, one.reviewed_on) for one in catalog.reviews.values()} == {("draft", "never")}


def test_spanish_is_stored_with_its_accents(catalog):
    assert "¿Cómo está su dolor" in catalog.get("ask_pain").texts[ES]


def test_the_catalogue_is_read_once():
    assert load_catalog() is load_catalog()


def test_facts_are_plain_data_for_plans(catalog):
    assert catalog.facts()["taper_first"] == {
        "kind": "taper", "asks": "taper", "channels": ("sms", "email", "web"), "audience": "patient",
        "default_off": False, "fragment": False, "today_variant": "ask_taper",
    }  # fmt: skip


# --- what is refused ---


def test_an_unknown_key_is_refused(catalog):
    with pytest.raises(ContentError, match="unknown message: ask_nothing"):
        catalog.get("ask_nothing")


def test_words_for_a_channel_that_is_not_the_texts_own_are_refused(catalog):
    assert catalog.text("ask_pain", ES, SMS).language is ES
    with pytest.raises(ContentError, match="edu_naloxone_named does not go by sms"):
        catalog.text("edu_naloxone_named", EN, SMS)


def test_a_missing_language_falls_back_to_english_and_says_so(catalog):
    lone = with_words(catalog, "ask_pain", texts={EN: "How is it?"}, subjects={EN: "A note"}).get("ask_pain")
    out = render(lone, ES, SMS, CLINIC, first_of_day=False)
    assert (out.text, out.language) == ("How is it?", EN)
    assert render(lone, ES, WEB, CLINIC, first_of_day=False).language is EN


PLANTED = [
    ("en", "taper", {"odd": 3}, "en/taper.toml: odd is not a message"),
    (
        "en",
        "taper",
        {"odd": {"text": "x", "about": "x", "colour": "red"}},
        "en/taper.toml: odd .* unknown keys: colour",
    ),
    ("en", "taper", {"odd": {"about": "x"}}, "en/taper.toml: odd has no text"),
    ("en", "taper", {"odd": {"text": "x"}}, "en/taper.toml: odd does not say what it is about"),
    ("en", "taper", {"odd": {"text": "x", "about": "x", "channels": ["fax"]}}, "odd: 'fax'"),
    (
        "en",
        "web",
        {"ask_pain": {"text": "x", "about": "x", "channels": ["web"]}},
        "en/web.toml: already .*: ask_pain",
    ),
    ("es", "taper", {"odd": {"text": "x"}}, "es/taper.toml: no English text for odd"),
    (
        "es",
        "taper",
        {"ask_taper": {"text": "x", "channels": ["sms"]}},
        "es/taper.toml: .* unknown keys: channels",
    ),
]


@pytest.mark.parametrize(("language", "file", "planted", "said"), PLANTED, ids=[one[3] for one in PLANTED])
def test_a_broken_file_is_refused_by_file_and_key(language, file, planted, said):
    files = read_files()
    files[language][file] = {**files[language][file], **planted}
    with pytest.raises(ContentError, match=said):
        catalog_from(files, load_wording())


def test_every_kind_has_its_file():
    assert set(FILES.values()) == set(read_files()["en"]) == set(read_files()["es"])


# --- what goes out by SMS ---


def test_the_first_text_of_the_day_says_who_writes(catalog):
    ask = catalog.get("ask_pain")
    first = render(ask, EN, SMS, CLINIC, first_of_day=True)
    later = render(ask, EN, SMS, CLINIC, first_of_day=False)
    assert first.text == "Riverside Care: " + later.text
    assert first.segments == 1


def test_the_clinic_is_not_named_twice_and_staff_get_no_prefix(catalog):
    invitation = render(catalog.get("consent_invite"), EN, SMS, CLINIC, first_of_day=True)
    assert invitation.text.count("Riverside Care") == 1
    fields = load_wording().sample(EN)
    page = catalog.get("staff_page_emergency")
    assert render(page, EN, SMS, fields, first_of_day=True) == render(
        page, EN, SMS, fields, first_of_day=False
    )


def test_spanish_is_folded_and_an_emoji_in_a_name_costs_nothing(catalog):
    out = render(catalog.get("ask_pain"), ES, SMS, {"org": "Clínica “Río” 🙂"}, first_of_day=True)
    assert out.text.startswith('Clinica "Rio": ¿Como esta su dolor')
    assert encoding(out.text) == "gsm7"
    assert out.segments == 1


def test_a_value_is_never_read_as_a_template(catalog):
    out = render(catalog.get("auto_optin"), EN, SMS, {**CLINIC, "org": "{phone}"}, first_of_day=False)
    assert "{phone}" in out.text
    assert CLINIC["phone"] not in out.text


def test_missing_and_unknown_fields_are_named_and_values_are_not(catalog):
    message = catalog.get("taper_first")
    with pytest.raises(ContentError, match="taper_first: missing fields: n, step_date"):
        render(message, EN, SMS, {}, first_of_day=False)
    with pytest.raises(ContentError, match="taper_first: unknown fields: patient_name") as refused:
        render(message, EN, SMS, {"patient_name": "Ana"}, first_of_day=False)
    assert "Ana" not in str(refused.value)


def test_a_channel_that_is_not_the_texts_own_is_refused(catalog):
    with pytest.raises(ContentError, match="edu_naloxone_named does not go by sms"):
        render(catalog.get("edu_naloxone_named"), EN, SMS, CLINIC, first_of_day=False)


@pytest.mark.parametrize("language", Language)
def test_every_text_renders_on_every_channel_it_names(catalog, language):
    for message in catalog:
        fields = load_wording().sample(language)
        for channel in message.channels:
            out = render(message, language, channel, fields, first_of_day=True, preferences_link=PREFERENCES)
            assert out.language is language
            assert not placeholders(out.text)
            assert out.segments <= 2
            assert (out.segments > 0) == (channel is SMS)
            assert (out.html is not None) == (out.subject is not None) == (channel is EMAIL)


# --- what goes out by mail ---


def mail(catalog, key, language=EN, **more):
    fields = {**CLINIC, **more.pop("fields", {})}
    options = {"preferences_link": PREFERENCES, **more}
    return render(catalog.get(key), language, EMAIL, fields, first_of_day=True, **options)


def test_mail_holds_the_text_the_footer_and_a_link_to_the_preferences(catalog):
    out = mail(catalog, "checkin_nudge_email", fields={"link": "https://care.example.org/c/abc"})
    assert out.subject == "A few questions from Riverside Care"
    assert "2 minutes: https://care.example.org/c/abc\n\nIf you need a person" in out.text
    assert out.text.rstrip().endswith("call 911.")
    assert (
        "-- \nYou get this because you said yes to messages from Riverside Care. "
        f"Change or stop them here: {PREFERENCES}" in out.text
    )
    assert '<a href="https://care.example.org/c/abc"' in out.html
    assert f'<a href="{PREFERENCES}"' in out.html
    assert '<html lang="en">' in out.html
    assert out.text.count("above this line") == out.html.count("above this line") == 0


def test_mail_that_takes_replies_says_where_to_write(catalog):
    out = mail(
        catalog,
        "checkin_nudge_email",
        ES,
        fields={"link": "https://care.example.org/c/abc"},
        takes_replies=True,
    )
    assert out.text.startswith("Por favor escriba su respuesta arriba de esta línea.\n\n")
    assert '<html lang="es">' in out.html
    assert "respuesta arriba de esta línea" in out.html


def test_a_text_without_a_place_for_its_link_ends_with_it(catalog):
    out = mail(catalog, "ask_pain", fields={"link": "https://care.example.org/c/abc"})
    assert "imagine).\n\nhttps://care.example.org/c/abc\n\n-- \n" in out.text


def test_no_footer_claims_a_yes_before_there_is_one(catalog):
    page = "https://care.example.org/y/abc"
    out = mail(catalog, "consent_invite", preferences_link=None, fields={"link": page})
    assert "because you said yes" not in out.text
    assert "-- " not in out.text


@pytest.mark.parametrize("key", ["consent_invite", "consent_reminder"])
def test_an_invitation_by_mail_asks_for_no_reply_that_nobody_reads(catalog, key):
    page = "https://care.example.org/y/abc"
    out = mail(catalog, key, preferences_link=None, fields={"link": page})
    assert page in out.text
    assert "Reply YES" not in out.text
    assert "text" not in out.text.split(page)[0]
    assert out.subject == "Please confirm messages from Riverside Care"


def test_mail_to_staff_has_no_footer(catalog):
    out = mail(catalog, "staff_test_page", preferences_link=None, fields=load_wording().sample(EN))
    assert "because you said yes" not in out.text


def test_mail_to_a_patient_without_a_way_out_is_refused(catalog):
    with pytest.raises(ContentError, match="ask_pain: missing fields: preferences_link"):
        mail(catalog, "ask_pain", preferences_link=None)


def test_values_are_escaped_in_html_and_cannot_break_a_header(catalog):
    out = mail(
        catalog,
        "email_wrapper",
        fields={"org": "A & <b>B</b>\r\nBcc: x@example.org", "link": "javascript:alert(1)"},
    )
    assert "A &amp; &lt;b&gt;B&lt;/b&gt; Bcc: x@example.org" in out.html
    assert "<b>" not in out.html
    assert 'href="javascript' not in out.html
    assert "\n" not in out.subject
    assert "\r" not in out.subject


def test_mail_without_a_subject_is_refused(catalog):
    bare = with_words(catalog, "ask_pain", subjects={})
    with pytest.raises(ContentError, match="ask_pain has no subject"):
        render(bare.get("ask_pain"), EN, EMAIL, CLINIC, first_of_day=False)
