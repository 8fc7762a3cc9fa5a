"""Trust a webhook only by its signature, lose no word of it, and read nothing that would be a guess."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.core.errors import MalformedWebhook, SignatureInvalid
from followup.core.vocabulary import Channel, Delivery
from followup.providers.twilio_webhooks import (
    parse_inbound,
    parse_status,
    sign,
    status_callback_url,
    webhook_tokens,
)
from followup.settings import Settings

URL = "https://followup.example.org/webhooks/twilio/inbound"
STATUS_URL = "https://followup.example.org/webhooks/twilio/status?a=tok_en-1234567890"
FORM = {
    "MessageSid": "SM" + "1" * 32,
    "From": "+12025550123",
    "To": "+12025550100",
    "Body": "my pain is 7",
    "NumMedia": "0",
    "OptOutType": "",
}
STATUS = {
    "MessageSid": "SM" + "2" * 32,
    "MessageStatus": "delivered",
    "From": "+12025550100",
    "ErrorCode": "",
}


@pytest.fixture
def settings(make_settings: Any) -> Settings:
    return make_settings(twilio_auth_token_old="token-before")


def posted(form: dict[str, str]) -> bytes:
    return urlencode(form).encode()


def receive(form: dict[str, str], settings: Settings, *, token: str = "token-now", **changes: Any) -> Any:
    given = {"signature": sign(URL, form, token), "url": URL, "settings": settings}
    return parse_inbound(list(form.items()), posted(form), **{**given, **changes})


def report(form: dict[str, str], settings: Settings, *, url: str = STATUS_URL) -> Any:
    return parse_status(form.items(), signature=sign(url, form, "token-now"), url=url, settings=settings)


# --- the signature ---


def test_our_signature_is_that_of_twilios_own_worked_example() -> None:
    # From the tests of Twilio's Python library, tests/unit/test_request_validator.py.
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
        "Caller": "+14158675309",
    }
    assert sign(url, form, "12345") == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_a_signed_text_is_read_whole(settings: Settings) -> None:
    message = receive(FORM, settings)
    assert (message.provider, message.provider_sid, message.channel) == (
        "twilio",
        FORM["MessageSid"],
        Channel.SMS,
    )
    assert (message.sender, message.recipient, message.body) == (
        "+12025550123",
        "+12025550100",
        "my pain is 7",
    )
    assert (message.raw, message.media_count) == (posted(FORM), 0)


@pytest.mark.parametrize(
    "signature",
    [None, "", "forged", "ñ", "0/KCTR6DLpKmkAf8muzZqo1nDgQ=", sign(URL, FORM, "token-of-another")],
)
def test_a_missing_or_forged_signature_is_refused(settings: Settings, signature: str | None) -> None:
    with pytest.raises(SignatureInvalid):
        receive(FORM, settings, signature=signature)


@pytest.mark.parametrize("change", [{"Body": "my pain is 1"}, {"From": "+12025550124"}, {"Extra": "1"}])
def test_a_form_that_was_changed_after_signing_is_refused(settings: Settings, change: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalid):
        receive({**FORM, **change}, settings, signature=sign(URL, FORM, "token-now"))


def test_the_old_token_is_trusted_only_while_it_is_set(settings: Settings, make_settings: Any) -> None:
    assert receive(FORM, settings, token="token-before").body == FORM["Body"]
    with pytest.raises(SignatureInvalid):
        receive(FORM, make_settings(), token="token-before")


def test_without_any_token_nothing_is_trusted(make_settings: Any) -> None:
    settings = make_settings(twilio_auth_token="")
    assert webhook_tokens(settings) == ()
    with pytest.raises(SignatureInvalid):
        receive(FORM, settings, token="")


@pytest.mark.parametrize("url", [f"{URL}?", URL.replace(".org/", ".org:443/")])
def test_the_public_address_may_end_in_a_question_mark_or_name_its_port(settings: Settings, url: str) -> None:
    assert receive(FORM, settings, url=url).provider_sid == FORM["MessageSid"]


@pytest.mark.parametrize(
    "url", ["http://10.0.0.5:8000/webhooks/twilio/inbound", URL.replace("https", "http")]
)
def test_an_address_that_a_proxy_rewrote_is_not_what_was_signed(settings: Settings, url: str) -> None:
    with pytest.raises(SignatureInvalid):
        receive(FORM, settings, url=url)


def test_a_signature_of_another_page_is_refused(settings: Settings) -> None:
    with pytest.raises(SignatureInvalid):
        receive(FORM, settings, signature=sign(STATUS_URL, FORM, "token-now"))


def test_the_sandbox_signs_with_a_token_of_the_secret_key_and_never_with_twilios(make_settings: Any) -> None:
    settings = make_settings(carrier="sandbox")
    [token] = webhook_tokens(settings)
    assert receive(FORM, settings, token=token).provider == "sandbox"
    assert settings.secret_key.get_secret_value() not in token
    assert webhook_tokens(make_settings(carrier="sandbox", secret_key="t" * 32)) != (token,)
    with pytest.raises(SignatureInvalid):
        receive(FORM, settings, token="token-now")
    with pytest.raises(SignatureInvalid):
        receive(FORM, make_settings(carrier="twilio"), token=token)


# --- the form ---


def test_a_doubled_key_is_no_form_that_we_read(settings: Settings) -> None:
    for form in ([*FORM.items(), ("Body", "another")], [*FORM.items(), ("Body", FORM["Body"])]):
        with pytest.raises(MalformedWebhook):
            parse_inbound(form, b"", signature=sign(URL, FORM, "token-now"), url=URL, settings=settings)


@pytest.mark.parametrize("name", ["MessageSid", "From", "To"])
@pytest.mark.parametrize("value", [None, "", "   ", "a\x00b", "x" * 300])
def test_a_text_without_id_or_ends_is_malformed(settings: Settings, name: str, value: str | None) -> None:
    form = {key: text for key, text in {**FORM, name: value}.items() if text is not None}
    with pytest.raises(MalformedWebhook):
        receive(form, settings)


@pytest.mark.parametrize("body", ["", "a" * 1601, "é😀" * 5000, "line\r\nline", "7"])
def test_every_body_is_kept_whole(settings: Settings, body: str) -> None:
    assert receive({**FORM, "Body": body}, settings).body == body


def test_a_text_without_a_body_is_an_empty_one(settings: Settings) -> None:
    form = {key: value for key, value in FORM.items() if key not in ("Body", "NumMedia")}
    assert receive(form, settings).body == ""


def test_bytes_that_are_no_text_stay_in_the_raw_form(settings: Settings) -> None:
    raw = posted(FORM).replace(b"my+pain", b"my+%FF%FEpain%00")
    form = dict(parse_qsl(raw.decode(), keep_blank_values=True, errors="replace"))
    message = parse_inbound(
        list(form.items()), raw, signature=sign(URL, form, "token-now"), url=URL, settings=settings
    )
    assert message.raw == raw
    assert message.body == "my \ufffd\ufffdpain\ufffd is 7"


def test_a_form_that_cannot_be_encoded_was_never_signed(settings: Settings) -> None:
    form = {**FORM, "Body": "\ud800"}
    with pytest.raises(SignatureInvalid):
        parse_inbound(form.items(), b"", signature=sign(URL, FORM, "token-now"), url=URL, settings=settings)


@pytest.mark.parametrize(
    ("number", "count"), [("0", 0), ("2", 2), ("", 0), (" 1 ", 1), ("many", 1), ("-1", 1), ("9" * 40, 1)]
)
def test_a_count_of_pictures_that_cannot_be_read_is_one(settings: Settings, number: str, count: int) -> None:
    assert receive({**FORM, "NumMedia": number}, settings).media_count == count


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=6), st.text())
def test_any_signed_form_is_read_and_any_other_is_refused(extra: dict[str, str], body: str) -> None:
    settings = Settings(
        _env_file=None,
        public_url="https://followup.example.org",
        twilio_auth_token="token-now",
        carrier="twilio",
    )
    form = {**extra, **FORM, "Body": body}
    assert receive(form, settings).body == body.replace("\x00", "\ufffd")
    with pytest.raises(SignatureInvalid):
        receive(form, settings, signature=sign(URL, form, "token-then"))


# --- status callbacks ---


def test_a_status_callback_brings_back_the_attempts_token(settings: Settings) -> None:
    update = report(STATUS, settings)
    assert (update.provider, update.provider_sid) == ("twilio", STATUS["MessageSid"])
    assert (update.attempt_token, update.status) == ("tok_en-1234567890", "delivered")
    assert (update.delivery, update.error_code) == (Delivery.DELIVERED, None)


def test_our_own_callback_address_is_one_that_we_read(settings: Settings, make_settings: Any) -> None:
    url = status_callback_url(settings, "abc_-123")
    assert report(STATUS, settings, url=url).attempt_token == "abc_-123"
    assert status_callback_url(make_settings(public_url="https://followup.example.org/"), "abc_-123") == url


@pytest.mark.parametrize(
    ("word", "delivery"),
    [
        ("queued", Delivery.QUEUED),
        ("sending", Delivery.QUEUED),
        ("sent", Delivery.SENT),
        ("undelivered", Delivery.UNDELIVERED),
        ("failed", Delivery.FAILED),
        ("canceled", Delivery.FAILED),
        ("read", Delivery.DELIVERED),
        ("received", None),
        ("teleported", None),
    ],
)
def test_a_word_that_we_do_not_know_is_kept_and_moves_nothing(
    settings: Settings, word: str, delivery: Delivery | None
) -> None:
    update = report({**STATUS, "MessageStatus": word}, settings)
    assert (update.status, update.delivery) == (word, delivery)


def test_an_overlong_word_fits_its_column(settings: Settings) -> None:
    update = report({**STATUS, "MessageStatus": "s" * 500, "ErrorCode": "3" * 500}, settings)
    assert (len(update.status), len(update.error_code), update.delivery) == (24, 16, None)


@pytest.mark.parametrize(("code", "kept"), [("30007", "30007"), ("0", None), ("", None), ("a\x00", None)])
def test_an_error_code_is_kept_unless_it_says_none(settings: Settings, code: str, kept: str | None) -> None:
    assert report({**STATUS, "ErrorCode": code}, settings).error_code == kept


@pytest.mark.parametrize("query", ["", "?a=", "?a=" + "x" * 25, "?a=%00", "?b=abc", "?a=<script>"])
def test_a_token_that_cannot_be_ours_is_no_token(settings: Settings, query: str) -> None:
    url = status_callback_url(settings, "").partition("?")[0] + query
    assert report(STATUS, settings, url=url).attempt_token is None


@pytest.mark.parametrize("change", [{"MessageStatus": ""}, {"MessageStatus": "a\x00"}, {"MessageSid": ""}])
def test_a_status_callback_without_status_or_id_is_malformed(
    settings: Settings, change: dict[str, str]
) -> None:
    with pytest.raises(MalformedWebhook):
        report({**STATUS, **change}, settings)


def test_a_token_put_into_the_address_afterwards_is_refused(settings: Settings) -> None:
    with pytest.raises(SignatureInvalid):
        parse_status(
            STATUS.items(),
            signature=sign(STATUS_URL, STATUS, "token-now"),
            url=STATUS_URL.replace("1234567890", "0987654321"),
            settings=settings,
        )
