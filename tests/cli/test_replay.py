"""The replay sends replies by the real road, loses none, explains each, adds nothing the second time."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from followup.cli.replay import command
from followup.core.errors import InvalidInput, SettingsError
from followup.core.vocabulary import AlertStatus
from followup.runtime import Runtime, build_runtime
from followup.settings import Settings
from followup.store.models import (
    Alert,
    Communication,
    CommunicationRequest,
    Patient,
    QuestionnaireResponse,
    SenderNumber,
)
from tests.support.processes import free_port
from tests.web.live import serving, working

SECRET = "not-a-secret-but-long-enough-to-sign"
ROWS = """\
id,lang,context,rx_max,text,tier,flags
r1,en,free,,"Feeling good today, thank you",none,ok
r2,es,taper,,PARAR,none,stop
r3,en,pills,4,2,none,numeric;ok
r4,en,pain,,4,none,numeric;ok
r5,en,free,,i cant breathe good and my lips look blue,emergency,breathing
r6,en,mood,,low. not sure why,routine,low_mood
r7,es,free,,no puedo respirar bien,emergency,breathing
r8,en,withdrawal,,,none,ok
r9,en,free,,wrong number,routine,wrong_number
"""


@pytest.fixture
def settings(sqlite_url: str) -> Settings:
    return Settings(
        _env_file=None,
        environment="test",
        carrier="sandbox",
        database_url=sqlite_url,
        redis_url="redis://127.0.0.1:1/0",
        secret_key=SECRET,
        public_url=f"http://127.0.0.1:{free_port()}",
        mail_from="care@example.org",
    )


@pytest.fixture
def house(settings: Settings) -> Iterator[Runtime]:
    house = build_runtime(settings)
    yield house
    house.engine.dispose()


@pytest.fixture
def service(house: Runtime) -> Iterator[str]:
    """The whole service: web on its port, and the work of its workers."""
    with serving(house, int(house.settings.public_url.rpartition(":")[2])), working(house):
        yield house.settings.public_url


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The service's own settings, as its operator has them in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("environment", "carrier", "database_url", "redis_url", "public_url", "mail_from"):
        monkeypatch.setenv(f"FOLLOWUP_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("FOLLOWUP_SECRET_KEY", SECRET)
    return monkeypatch


@pytest.fixture
def replies(tmp_path: Path) -> Path:
    path = tmp_path / "replies.csv"
    path.write_text(ROWS)
    return path


def replay(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments])


def counts(house: Runtime) -> dict[str, int]:
    with house.session() as session:
        return {
            model.__tablename__: session.scalar(select(func.count()).select_from(model)) or 0
            for model in (
                Patient,
                SenderNumber,
                Communication,
                CommunicationRequest,
                Alert,
                QuestionnaireResponse,
            )
        }


def test_every_reply_is_stored_once_answered_or_explained(service, environment, replies):
    done = replay(replies, "--to", service, "--json")

    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["posted"], report["stored"], report["added"]) == (9, 9, 9)
    assert (report["refused"], report["unsent"], report["lost"], report["unexplained"]) == (0, 0, 0, [])
    assert report["alerted"]["emergency"] == 2
    assert report["answered"] >= 5
    assert 0 <= report["seconds_to_alert"]["p50"] <= report["seconds_to_alert"]["p99"] < 5


def test_what_a_good_replay_raised_is_closed_so_that_nobody_is_paged_for_ever(
    service, environment, replies, house
):
    replay(replies, "--to", service)

    with house.session() as session:
        raised = session.scalars(select(Alert)).all()
    assert raised
    assert {alert.status for alert in raised} == {AlertStatus.RESOLVED}


def test_the_open_question_binds_the_number(service, environment, replies, house):
    replay(replies, "--to", service)

    with house.session() as session:
        answers = dict(
            session.execute(select(QuestionnaireResponse.question, QuestionnaireResponse.number)).all()
        )
    assert answers["pain"] == 4
    assert answers["pills"] == 2


def test_a_second_run_adds_nothing(service, environment, replies, house):
    first = json.loads(replay(replies, "--to", service, "--json").stdout)
    before = counts(house)

    again = replay(replies, "--to", service, "--json")

    assert again.exit_code == 0, again.output
    report = json.loads(again.stdout)
    assert report["added"] == 0
    assert (report["posted"], report["stored"]) == (9, 9)
    assert report["alerted"] == first["alerted"]
    assert counts(house) == before


def test_only_the_rows_that_were_asked_for_are_sent(service, environment, replies, house):
    done = replay(replies, "--to", service, "--lang", "es", "--limit", "1")

    assert done.exit_code == 0, done.output
    assert "posted       1 (0 refused)" in done.stdout
    assert counts(house)["patients"] == 1


def test_a_service_that_does_not_answer_is_a_loss(environment, replies, settings):
    done = replay(replies, "--to", settings.public_url, "--wait", "0")

    assert done.exit_code == 1
    assert "posted       9 (9 refused)" in done.stdout
    assert "lost         9" in done.stdout


def test_a_service_that_nobody_works_for_is_a_loss(environment, replies, house):
    with serving(house, int(house.settings.public_url.rpartition(":")[2])):
        done = replay(replies, "--to", house.settings.public_url, "--wait", "0.5", "--json")

    report = json.loads(done.stdout)
    assert done.exit_code == 1
    assert report["stored"] == 9
    assert report["unsent"] > 0


def test_real_people_are_never_texted(environment, replies, settings):
    environment.setenv("FOLLOWUP_CARRIER", "twilio")
    environment.setenv("FOLLOWUP_TWILIO_ACCOUNT_SID", "AC" + "0" * 32)
    environment.setenv("FOLLOWUP_TWILIO_AUTH_TOKEN", "a token")

    refused = replay(replies, "--to", settings.public_url)

    assert isinstance(refused.exception, SettingsError)
    assert "FOLLOWUP_CARRIER" in str(refused.exception)


@pytest.mark.parametrize(
    "to", ["https://followup.example.org", "http://10.0.0.5:5080", "127.0.0.1:5080", "ftp://localhost"]
)
def test_a_service_elsewhere_is_refused(environment, replies, house, to):
    refused = replay(replies, "--to", to)

    assert isinstance(refused.exception, SettingsError)
    assert counts(house)["patients"] == 0


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"id,lang,text\nr1,en,hi\n", "context, rx_max"),
        (b"id,lang,context,rx_max,text\nr1,fr,free,,salut\n", "Line 2"),
        (b"id,lang,context,rx_max,text\nr1,en,weather,,rain\n", "context is one of"),
        (b"id,lang,context,rx_max,text\nr1,en,pills,many,2\n", "Line 2"),
        (b"id,lang,context,rx_max,text\nr1,en,free,,\xff\xfe\n", "UTF-8"),
        (b"id,lang,context,rx_max,text\n", "No row"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused_whole(environment, replies, house, content, word):
    replies.write_bytes(content)

    refused = replay(replies, "--to", house.settings.public_url)

    assert isinstance(refused.exception, InvalidInput)
    assert word in str(refused.exception)
    assert counts(house)["patients"] == 0


def test_the_settings_of_the_demo_at_that_address_are_taken_from_its_folder(
    service, replies, settings, house, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "demo"
    folder.mkdir()
    names = ("environment", "carrier", "database_url", "redis_url", "public_url", "mail_from")
    values = {f"FOLLOWUP_{name.upper()}": str(getattr(settings, name)) for name in names}
    (folder / "settings.json").write_text(json.dumps({**values, "FOLLOWUP_SECRET_KEY": SECRET}))

    done = replay(replies, "--to", service, "--data", folder, "--limit", "2")

    assert done.exit_code == 0, done.output
    assert counts(house)["patients"] == 2
