"""Choose who carries what, by the settings: one line per carrier."""

from collections.abc import Callable, Mapping

from followup.core.errors import SettingsError
from followup.core.vocabulary import Channel
from followup.providers.ports import Sender
from followup.providers.sandbox import SandboxSender
from followup.providers.smtp_email import SmtpSender
from followup.settings import Carrier, Settings

Senders = dict[Channel, Sender]


def build_senders(settings: Settings) -> Senders:
    """Return the sender of each channel; an unknown carrier is a SettingsError, at the start."""
    build = _CARRIERS.get(settings.carrier)
    if build is None:
        raise SettingsError(f"FOLLOWUP_CARRIER: nobody here carries texts by {settings.carrier}.")
    return build(settings)


def _twilio(settings: Settings) -> Senders:
    # The SDK takes 24 MB and 0.3 s, which the sandbox has no use for.
    from followup.providers.twilio_sms import TwilioSender

    return {Channel.SMS: TwilioSender(settings), Channel.EMAIL: SmtpSender(settings)}


def _sandbox(settings: Settings) -> Senders:
    mail = SmtpSender(settings) if settings.smtp_host else SandboxSender(settings, Channel.EMAIL)
    return {Channel.SMS: SandboxSender(settings, Channel.SMS), Channel.EMAIL: mail}


_CARRIERS: Mapping[Carrier, Callable[[Settings], Senders]] = {
    Carrier.TWILIO: _twilio,
    Carrier.SANDBOX: _sandbox,
}
