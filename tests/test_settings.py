"""Settings are read once; what is missing, malformed or unsafe is listed together, and no secret is shown."""

import itertools

import pytest
from pydantic import SecretStr

from followup.core.errors import SettingsError
from followup.settings import Environment, Settings, load_settings, settings_from_environment

KEY = "k" * 32
SECRETS = {
    "secret_key": "the-key-that-signs-every-link-and-session",
    "twilio_auth_token": "token-of-the-carrier",
    "twilio_auth_token_old": "former-token-of-the-carrier",
    "smtp_password": "password-of-the-mail-server",
    "database_url": "postgresql+psycopg://followup:password-of-the-database@db/followup",
    "redis_url": "redis://:password-of-the-broker@redis:6379/0",
}
PRODUCTION = {
    **SECRETS,
    "environment": "production",
    "public_url": "https://followup.example.org",
    "twilio_account_sid": "AC00000000000000000000000000000000",
    "smtp_host": "mail.example.org",
    "mail_from": "care@example.org",
}
DEMO = {
    "environment": "demo",
    "carrier": "sandbox",
    "database_url": "sqlite:////data/followup.db",
    "redis_url": "redis://127.0.0.1:6379/0",
    "public_url": "http://127.0.0.1:8000",
    "secret_key": KEY,
}


def refusal(**settings):
    with pytest.raises(SettingsError) as refused:
        load_settings(_env_file=None, **settings)
    return str(refused.value)


def faults(**settings):
    return sorted(line.split(":")[0].strip() for line in refusal(**settings).splitlines()[1:])


def test_a_whole_set_of_settings_is_accepted():
    settings = load_settings(_env_file=None, **PRODUCTION)
    assert settings.environment is Environment.PRODUCTION
    assert load_settings(_env_file=None, **DEMO).environment is Environment.DEMO


def test_nothing_set_at_all_lists_everything_that_production_needs():
    assert faults() == [
        "FOLLOWUP_DATABASE_URL",
        "FOLLOWUP_MAIL_FROM",
        "FOLLOWUP_PUBLIC_URL",
        "FOLLOWUP_REDIS_URL",
        "FOLLOWUP_SECRET_KEY",
        "FOLLOWUP_SMTP_HOST",
        "FOLLOWUP_TWILIO_ACCOUNT_SID",
        "FOLLOWUP_TWILIO_AUTH_TOKEN",
    ]


@pytest.mark.parametrize("environment", ["demo", "test"])
def test_with_the_sandbox_neither_carrier_nor_mail_is_needed(environment):
    assert faults(environment=environment, carrier="sandbox") == [
        "FOLLOWUP_DATABASE_URL",
        "FOLLOWUP_PUBLIC_URL",
        "FOLLOWUP_REDIS_URL",
        "FOLLOWUP_SECRET_KEY",
    ]


@pytest.mark.parametrize("environment", [*Environment])
def test_the_refusal_names_its_environment(environment):
    assert f"({environment.value})" in refusal(environment=environment.value)


UNSAFE = {
    "carrier": ("sandbox", "reaches no patient"),
    "public_url": ("http://followup.example.org", "https://"),
    "smtp_host": ("", "name the mail server"),
    "mail_from": ("", "sender's address"),
    "smtp_starttls": (False, "in the clear"),
    "twilio_api_url": ("http://127.0.0.1:4010", "it is for tests"),
    "log_level": ("debug", "set INFO"),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_what_is_unsafe_in_production_is_refused_there_and_only_there(name):
    value, why = UNSAFE[name]
    said = refusal(**{**PRODUCTION, name: value})
    assert f"FOLLOWUP_{name.upper()}: " in said
    assert why in said
    assert load_settings(_env_file=None, **{**PRODUCTION, name: value, "environment": "test"})


def test_all_faults_are_listed_at_once_missing_malformed_and_unsafe():
    broken = {
        **PRODUCTION,
        "smtp_port": "many",
        "in_flight": 0,
        "redis_url": "",
        "mail_from": "",
        "log_level": "LOUD",
    }
    assert faults(**broken) == [
        "FOLLOWUP_IN_FLIGHT",
        "FOLLOWUP_LOG_LEVEL",
        "FOLLOWUP_MAIL_FROM",
        "FOLLOWUP_REDIS_URL",
        "FOLLOWUP_SMTP_PORT",
    ]


def test_an_unknown_environment_is_judged_as_production():
    said = refusal(**{**DEMO, "environment": "staging"})
    assert "FOLLOWUP_ENVIRONMENT: " in said
    assert "FOLLOWUP_CARRIER: the sandbox reaches no patient" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", "mysql://db/followup"),
        ("database_url", "postgresql://db/followup"),
        ("redis_url", "amqp://broker"),
        ("public_url", "followup.example.org"),
        ("public_url", "https://example.org/followup"),
        ("public_url", "https://example.org?x"),
        ("log_level", "LOUD"),
        ("secret_key", "short"),
        ("lease_seconds", 29),
    ],
)
def test_a_value_that_could_never_work_is_refused_in_every_environment(name, value):
    assert faults(**{**DEMO, name: value}) == [f"FOLLOWUP_{name.upper()}"]
    assert f"FOLLOWUP_{name.upper()}" in faults(**{**PRODUCTION, name: value})


def test_a_slash_at_the_end_of_the_public_address_is_no_path():
    assert load_settings(_env_file=None, **{**DEMO, "public_url": "http://127.0.0.1:8000/"})


def test_no_secret_is_shown_by_the_settings_themselves():
    settings = load_settings(_env_file=None, **PRODUCTION)
    shown = repr(settings) + str(settings)
    assert not [secret for secret in SECRETS.values() if secret in shown]
    assert isinstance(settings.secret_key, SecretStr)


def test_no_secret_is_shown_by_a_refusal():
    bad = {
        **PRODUCTION,
        **{name: value[:12] for name, value in SECRETS.items()},
        "smtp_port": "x",
        "carrier": "x",
    }
    said = refusal(**bad)
    shown = [value[:12] for name, value in SECRETS.items() if name not in ("database_url", "redis_url")]
    assert not [secret for secret in shown if secret in said]
    assert "password" not in said


@pytest.mark.parametrize("name", ["database_url", "redis_url"])
def test_a_malformed_address_is_refused_without_its_password(name):
    assert "hunter2" not in refusal(**{**DEMO, name: "mysql://user:hunter2@db/followup"})


def test_settings_cannot_be_changed():
    settings = load_settings(_env_file=None, **DEMO)
    with pytest.raises(ValueError, match="frozen"):
        settings.in_flight = 5


def test_the_environment_is_read_with_the_prefix(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in DEMO.items():
        monkeypatch.setenv(f"FOLLOWUP_{name.upper()}", value)
    monkeypatch.setenv("FOLLOWUP_IN_FLIGHT", "7")
    monkeypatch.setenv("IN_FLIGHT", "8")
    assert load_settings().in_flight == 7


def test_a_file_named_env_is_read_and_the_environment_wins(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    lines = [f"FOLLOWUP_{name.upper()}={value}" for name, value in {**DEMO, "phone_region": "CA"}.items()]
    (tmp_path / ".env").write_text("\n".join([*lines, "FOLLOWUP_IDLE_MINUTES=5", "UNRELATED=1"]))
    monkeypatch.setenv("FOLLOWUP_IDLE_MINUTES", "9")
    settings = load_settings()
    assert (settings.phone_region, settings.idle_minutes) == ("CA", 9)


def test_a_process_reads_its_settings_once(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in DEMO.items():
        monkeypatch.setenv(f"FOLLOWUP_{name.upper()}", value)
    settings_from_environment.cache_clear()
    try:
        first = settings_from_environment()
        monkeypatch.setenv("FOLLOWUP_IN_FLIGHT", "7")
        assert settings_from_environment() is first
    finally:
        settings_from_environment.cache_clear()


def test_every_setting_is_described_or_names_itself():
    plain = {name for name, field in Settings.model_fields.items() if not field.description}
    assert plain <= {"smtp_port", "smtp_username", "smtp_password"}


def test_every_pair_of_faults_is_told_together():
    for one, other in itertools.combinations(UNSAFE, 2):
        found = faults(**{**PRODUCTION, one: UNSAFE[one][0], other: UNSAFE[other][0]})
        assert found == sorted(f"FOLLOWUP_{name.upper()}" for name in (one, other))
