"""The carrier's webhooks: trusted by signature alone, stored exactly once, never a 500."""

import hashlib
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from followup.core.vocabulary import AlertKind, CommunicationStatus, Delivery, Tier
from followup.providers.twilio_webhooks import sign, webhook_tokens
from followup.store.models import Alert, AuditEvent, Communication, DeliveryReceipt
from tests import factories
from tests.web import doors

INBOUND, STATUS = "/webhooks/twilio/inbound", "/webhooks/twilio/status"
FORM = "application/x-www-form-urlencoded"
OURS = "+12025550177"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, sqlite_template) -> Iterator[Flask]:
    """Run one application for all random requests."""
    path = tmp_path_factory.mktemp("webhooks") / "followup.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())
    app = doors.build(f"sqlite:///{path}")
    with doors.house_of(app).session() as session:
        factories.organization(session, sender=OURS)
    yield app
    doors.close(app)


@pytest.fixture
def app(sqlite_url: str) -> Iterator[Flask]:
    app = doors.build(sqlite_url)
    with doors.house_of(app).session() as session:
        clinic = factories.organization(session, sender=OURS)
        factories.enrolled(session, clinic, address="+12025550123")
    yield app
    doors.close(app)


def form(**over):
    return {
        "MessageSid": "SM" + "1" * 32,
        "From": "+12025550123",
        "To": OURS,
        "Body": "hello",
        "NumMedia": "0",
        **over,
    }


def post(app, path, fields, *, raw=None, signature=None, content_type=FORM, base_url=doors.PUBLIC_URL):
    token = webhook_tokens(doors.house_of(app).settings)[0]
    signature = sign(doors.PUBLIC_URL + path, fields, token) if signature is None else signature
    return app.test_client().post(
        path,
        data=urlencode(fields) if raw is None else raw,
        content_type=content_type,
        headers={"X-Twilio-Signature": signature},
        base_url=base_url,
    )


def rows(app, model):
    with doors.house_of(app).session() as session:
        return list(session.scalars(select(model)))


def test_a_signed_text_is_stored_as_it_came_and_understood_at_once(app):
    fields = form(Body="i cant breathe good and my lips look blue")
    answer = post(app, INBOUND, fields)
    assert answer.status_code == 200
    assert answer.get_data(as_text=True).endswith("<Response/>")
    assert answer.mimetype == "text/xml"
    stored = next(row for row in rows(app, Communication) if row.provider_sid == fields["MessageSid"])
    with doors.house_of(app).session() as session:
        assert session.scalar(select(Communication.raw)) == urlencode(fields).encode()
    assert (stored.status, stored.tier) == (CommunicationStatus.COMPLETED, Tier.EMERGENCY)
    assert [one.tier for one in rows(app, Alert) if one.kind is AlertKind.REPLY] == [Tier.EMERGENCY]


def test_a_replayed_text_is_stored_once(app):
    assert [post(app, INBOUND, form()).status_code for _ in range(3)] == [200, 200, 200]
    assert len([row for row in rows(app, Communication) if row.provider_sid == form()["MessageSid"]]) == 1


@pytest.mark.parametrize("path", [INBOUND, STATUS])
@pytest.mark.parametrize("signature", ["", "AAAA", "not base64 at all \u00e9"])
def test_a_forged_request_is_403_and_leaves_nothing(app, path, signature):
    assert (
        post(
            app, path, form(MessageStatus="sent"), signature=signature.encode().decode("latin-1")
        ).status_code
        == 403
    )
    assert rows(app, Communication) == []
    assert rows(app, DeliveryReceipt) == []


def test_the_signature_is_checked_against_the_configured_address_whatever_the_headers_say(app):
    assert post(app, INBOUND, form(), base_url="https://evil.example.org").status_code == 200
    token = webhook_tokens(doors.house_of(app).settings)[0]
    elsewhere = sign(f"https://evil.example.org{INBOUND}", form(), token)
    assert (
        post(app, INBOUND, form(), signature=elsewhere, base_url="https://evil.example.org").status_code
        == 403
    )


def test_a_doubled_key_is_400(app):
    raw = urlencode([*form().items(), ("Body", "other words")])
    assert post(app, INBOUND, form(), raw=raw).status_code == 400
    assert rows(app, Communication) == []


@pytest.mark.parametrize("missing", ["MessageSid", "From", "To"])
def test_a_missing_key_is_400(app, missing):
    fields = {name: value for name, value in form().items() if name != missing}
    assert post(app, INBOUND, fields).status_code == 400
    assert rows(app, Communication) == []


def test_a_text_without_words_is_stored_all_the_same(app):
    fields = {name: value for name, value in form(NumMedia="1").items() if name != "Body"}
    assert post(app, INBOUND, fields).status_code == 200
    assert rows(app, Communication)[0].media_count == 1


def test_an_oversized_body_is_413_and_is_not_stored(app):
    assert post(app, INBOUND, form(Body="x" * 70_000)).status_code == 413
    assert rows(app, Communication) == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""]
)
def test_what_is_no_form_is_400(app, content_type):
    assert post(app, INBOUND, form(), raw=b'{"Body": "hello"}', content_type=content_type).status_code == 400


@pytest.mark.parametrize("raw", [b"Body=%ff%fe", b"Body=\xff\xfe", b"\x00\x01\x02", b""])
def test_what_cannot_be_decoded_is_refused(app, raw):
    assert post(app, INBOUND, {}, raw=raw).status_code in (400, 403)
    assert rows(app, Communication) == []


def test_a_text_to_a_number_of_nobody_is_noted_and_answered_200(app):
    assert post(app, INBOUND, form(To="+12025559999")).status_code == 200
    assert rows(app, Communication) == []
    assert [one.action for one in rows(app, AuditEvent)] == ["inbound.misdirected"]


def test_a_failure_of_understanding_still_answers_200_and_leaves_the_text_for_the_sweep(
    app, monkeypatch, caplog
):
    def broken(*_args, **_kwargs):
        raise RuntimeError("secret words of the patient")

    monkeypatch.setattr("followup.services.inbound.process", broken)
    assert post(app, INBOUND, form()).status_code == 200
    assert rows(app, Communication)[0].processed_at is None
    assert "inbound.not_understood" in caplog.text
    assert "secret words" not in caplog.text


def test_a_status_callback_is_appended_as_it_came(app):
    path = f"{STATUS}?a=tok_en-123"
    fields = {"MessageSid": "SM" + "2" * 32, "MessageStatus": "delivered"}
    assert post(app, path, fields).status_code == 204
    assert post(app, path, {**fields, "MessageStatus": "a word of tomorrow"}).status_code == 204
    first, second = sorted(rows(app, DeliveryReceipt), key=lambda one: one.delivery is None)
    assert (first.delivery, first.attempt_token) == (Delivery.DELIVERED, "tok_en-123")
    assert second.status == "a word of tomorrow"
    assert second.delivery is None


def test_a_status_callback_without_its_status_is_400(app):
    assert post(app, STATUS, {"MessageSid": "SM" + "2" * 32}).status_code == 400
    assert rows(app, DeliveryReceipt) == []


def test_only_posts_are_taken(app):
    client = app.test_client()
    for path in (INBOUND, STATUS):
        assert client.get(path, base_url=doors.PUBLIC_URL).status_code in (302, 405)


any_text = st.text(max_size=60)
random_form = st.dictionaries(
    st.sampled_from(
        ["MessageSid", "SmsSid", "From", "To", "Body", "NumMedia", "MessageStatus", "ErrorCode", "Odd"]
    ),
    any_text,
    max_size=9,
)
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(
    raw=st.binary(max_size=300),
    signature=any_text,
    path=st.sampled_from([INBOUND, STATUS, f"{STATUS}?a=%ff"]),
)
def test_random_bytes_never_break_it(shared, raw, signature, path):
    header = signature.encode("utf-8", "replace").decode("latin-1").replace("\r", "").replace("\n", "")
    before = len(rows(shared, Communication))
    answer = post(shared, path, {}, raw=raw, signature=header)
    assert answer.status_code in (400, 403)
    assert len(rows(shared, Communication)) == before


@few
@given(fields=random_form, path=st.sampled_from([INBOUND, STATUS]))
def test_signed_nonsense_is_stored_or_refused_but_never_breaks_it(shared, fields, path):
    raw = urlencode({name: value.encode("utf-8", "surrogatepass") for name, value in fields.items()})
    answer = post(shared, path, fields, raw=raw)
    assert answer.status_code in (200, 204, 400, 403)


@few
@given(body=st.text(max_size=400))
def test_any_words_are_stored_exactly_once(shared, body):
    sid = "SM" + hashlib.md5(body.encode()).hexdigest()
    fields = form(Body=body, MessageSid=sid, From="+12025550188")
    assert [post(shared, INBOUND, fields).status_code for _ in range(2)] == [200, 200]
    stored = [row for row in rows(shared, Communication) if row.provider_sid == sid]
    assert [row.status for row in stored] == [CommunicationStatus.COMPLETED]
