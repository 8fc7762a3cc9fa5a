"""Name every way in which a wish can be refused.

Each error has a `code` for tables and logs; its message is plain words that say what to do.
`safe_for_staff` says that the message may be shown on a staff page as it stands.
"""

from typing import ClassVar


class FollowupError(Exception):
    """Something in Followup was refused."""

    code: ClassVar[str] = "followup.error"
    safe_for_staff: ClassVar[bool] = False

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        """Keep the message (default: the class's docstring) and the form field that it is about."""
        super().__init__(message or type(self).__doc__ or self.code)
        self.field = field


class ContentError(FollowupError):
    """A text, plan or table of this installation is broken."""

    code = "content.broken"


class SettingsError(FollowupError):
    """The settings are missing or unsafe; nothing was started."""

    code = "settings.refused"


class InvalidInput(FollowupError):
    """That value cannot be used."""

    code = "input.invalid"
    safe_for_staff = True


class NotFound(FollowupError):
    """There is nothing here by that name."""

    code = "not_found"
    safe_for_staff = True


class Forbidden(FollowupError):
    """You may not do that."""

    code = "forbidden"
    safe_for_staff = True


class Conflict(FollowupError):
    """Someone else changed this first. Look at it again and repeat your change if you still want it."""

    code = "conflict"
    safe_for_staff = True


class InvalidTransition(Conflict):
    """That step is not possible from the state it is in."""

    code = "transition.invalid"


class ConsentMissing(FollowupError):
    """The patient has not said yes."""

    code = "consent.missing"
    safe_for_staff = True


class ClinicalError(FollowupError):
    """A clinical rule refuses this."""

    code = "clinical.refused"
    safe_for_staff = True


class UnknownDrug(ClinicalError):
    """That drug is not in the table."""

    code = "clinical.unknown_drug"


class TaperRefused(ClinicalError):
    """A taper like that breaks a bound."""

    code = "clinical.taper_refused"


class SignatureInvalid(FollowupError):
    """The request is not signed by the carrier."""

    code = "webhook.signature"


class MalformedWebhook(FollowupError):
    """The request is not a form that we can read without guessing."""

    code = "webhook.malformed"


class LinkInvalid(FollowupError):
    """The link is unknown, used up or too old."""

    code = "link.invalid"
