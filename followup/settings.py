"""Read the service's settings once, list every fault together, refuse what is unsafe."""

import re
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from followup.core.errors import SettingsError

PREFIX = "FOLLOWUP_"
_DATABASES = re.compile(r"postgresql\+psycopg://|sqlite:///")
_BROKERS = re.compile(r"rediss?://")
#: Our paths are added to it: one of its own would spoil every link and the signature of every webhook.
_WEB = re.compile(r"https?://[^/?#\s]+/?\Z")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class Environment(StrEnum):
    """Where this installation runs; what is unsafe depends on it."""

    DEMO = "demo"
    TEST = "test"
    PRODUCTION = "production"


class Carrier(StrEnum):
    """Who carries texts: Twilio, or the sandbox, which reaches nobody."""

    TWILIO = "twilio"
    SANDBOX = "sandbox"


class Settings(BaseSettings):
    """Everything that an operator may set, each as FOLLOWUP_<NAME> in the environment or in `.env`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    environment: Environment = Field(Environment.PRODUCTION, description="demo, test or production.")
    database_url: str = Field(
        "",
        repr=False,
        description="postgresql+psycopg://user:password@host/name, or sqlite:////path/followup.db.",
    )
    redis_url: str = Field(
        "", repr=False, description="redis://host:6379/0; the bell between web and workers."
    )
    secret_key: SecretStr = Field(
        SecretStr(""), description="At least 32 random characters; signs sessions and links."
    )
    public_url: str = Field(
        "",
        description="https://followup.example.org: where patients and the carrier reach us, without a path.",
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    carrier: Carrier = Field(Carrier.TWILIO, description="twilio, or sandbox (demo and test only).")
    twilio_account_sid: str = Field("", description="AC...; from the Twilio console.")
    twilio_auth_token: SecretStr = Field(SecretStr(""), description="Also checks the signature of webhooks.")
    twilio_auth_token_old: SecretStr = Field(
        SecretStr(""), description="The former token, accepted from webhooks while you rotate."
    )
    twilio_api_url: str = Field(
        "https://api.twilio.com", description="Change only to test against a stand-in."
    )
    twilio_handles_keywords: bool = Field(
        True, description="true: Twilio answers STOP, START and HELP itself, so we do not answer as well."
    )
    in_flight: int = Field(
        100, ge=1, le=1000, description="Most calls to the carrier at one time, this process."
    )

    smtp_host: str = Field("", description="Mail server; empty turns e-mail off in demo and test.")
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_username: str = Field("")
    smtp_password: SecretStr = Field(SecretStr(""))
    smtp_starttls: bool = Field(True, description="Encrypt the way to the mail server.")
    mail_from: str = Field("", description="Sender's address of every mail, such as care@example.org.")

    phone_region: str = Field(
        "US", description="Country of numbers typed without +.", min_length=2, max_length=2
    )
    idle_minutes: int = Field(
        15, ge=1, le=60, description="Minutes without a click before staff are logged off."
    )
    lease_seconds: int = Field(
        60, ge=5, description="How long a drain may hold a claimed text before it is unknown."
    )
    call_seconds: float = Field(15.0, gt=0, description="Longest wait for the carrier's answer to one call.")
    drain_seconds: float = Field(20.0, gt=0, description="Longest run of one drain.")
    tick_seconds: float = Field(2.0, gt=0, description="How often beat rings the drains.")
    sweep_stale_seconds: float = Field(
        15.0, gt=0, description="`followup sweep` works while beat's last tick is older than this."
    )


def load_settings(**overrides: Any) -> Settings:
    """Return the settings; SettingsError lists every missing, malformed or unsafe one together."""
    faults: list[str] = []
    try:
        settings = Settings(**overrides)
    except ValidationError as malformed:
        bad = {str(error["loc"][0]): error["msg"] for error in malformed.errors()}
        faults += [f"{_env(name)}: {message}" for name, message in bad.items()]
        settings = _without(bad, overrides)
    faults += [f"{_env(name)}: {what}" for name, what in unsafe(settings)]
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise SettingsError(
            f"Followup did not start. Mend these settings ({settings.environment.value}):\n{listed}"
        )
    return settings


def _env(name: str) -> str:
    return PREFIX + name.upper()


def _without(bad: dict[str, str], overrides: dict[str, Any]) -> Settings:
    # The rest is still judged, so that the operator sees all faults in one go.
    fields = Settings.model_fields
    defaults = {name: fields[name].get_default() for name in bad if name in fields}
    return Settings(**{**overrides, **defaults})


def unsafe(settings: Settings) -> list[tuple[str, str]]:
    """Return (setting, what to do) for each that may not run in this environment."""
    found = [*_missing(settings), *_malformed(settings)]
    if len(settings.secret_key.get_secret_value()) < 32:
        found.append(
            ("secret_key", "set at least 32 random characters, such as `openssl rand -hex 32` prints.")
        )
    if settings.call_seconds * 2 > settings.lease_seconds:
        found.append(
            ("lease_seconds", "must be at least twice FOLLOWUP_CALL_SECONDS, or a slow call outlives it.")
        )
    if settings.environment is Environment.PRODUCTION:
        told = {name for name, _ in found}
        found += [one for one in _unsafe_in_production(settings) if one[0] not in told]
    return found


def _missing(settings: Settings) -> list[tuple[str, str]]:
    needed = {
        "database_url": "say where the database is.",
        "redis_url": "say where Redis or Valkey is.",
        "public_url": "say the address that patients and the carrier reach us at.",
    }
    if settings.carrier is Carrier.TWILIO:
        needed["twilio_account_sid"] = "copy it from the Twilio console."
        needed["twilio_auth_token"] = "copy it from the Twilio console; webhooks are checked with it."  # noqa: S105  words
    return [(name, what) for name, what in needed.items() if not _plain(getattr(settings, name))]


def _malformed(settings: Settings) -> list[tuple[str, str]]:
    checks = [
        ("database_url", _DATABASES, "must begin with postgresql+psycopg:// or sqlite:///."),
        ("redis_url", _BROKERS, "must begin with redis:// or rediss://."),
        ("public_url", _WEB, "must begin with https:// (http:// in demo and test) and hold no path."),
    ]
    given = [(name, shape, what) for name, shape, what in checks if getattr(settings, name)]
    found = [(name, what) for name, shape, what in given if not shape.match(getattr(settings, name))]
    if settings.log_level.upper() not in _LEVELS:
        found.append(("log_level", f"must be one of {', '.join(_LEVELS)}."))
    return found


def _plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _unsafe_in_production(settings: Settings) -> list[tuple[str, str]]:
    checks = [
        (settings.carrier is Carrier.SANDBOX, "carrier", "the sandbox reaches no patient; set twilio."),
        (not settings.public_url.startswith("https://"), "public_url", "must begin with https://."),
        (not settings.smtp_host, "smtp_host", "staff are paged by e-mail too; name the mail server."),
        (not settings.mail_from, "mail_from", "name the sender's address of our mail."),
        (
            not settings.smtp_starttls,
            "smtp_starttls",
            "mail would cross the network in the clear; leave it true.",
        ),
        (
            settings.twilio_api_url != "https://api.twilio.com",
            "twilio_api_url",
            "leave it out; it is for tests.",
        ),
        (settings.log_level.upper() == "DEBUG", "log_level", "DEBUG is for development; set INFO."),
    ]
    return [(name, what) for wrong, name, what in checks if wrong]


@cache
def settings_from_environment() -> Settings:
    """Return this process's settings, read once."""
    return load_settings()
