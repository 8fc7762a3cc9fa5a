"""Parse, normalise and mask phone numbers and e-mail addresses."""

from dataclasses import dataclass

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumberType

from followup.core.errors import InvalidInput

_REFUSED = {
    PhoneNumberType.TOLL_FREE: "This is a toll-free number; it cannot get texts. Enter a mobile number.",
    PhoneNumberType.PREMIUM_RATE: "This is a premium-rate number; we never text it. Enter a mobile number.",
    PhoneNumberType.SHARED_COST: "This is a shared-cost number; we never text those. Enter a mobile number.",
    PhoneNumberType.PAGER: "This is a pager; it cannot answer. Enter a mobile number.",
    PhoneNumberType.UAN: "This is a company's shared number. Enter a mobile number.",
    PhoneNumberType.VOICEMAIL: "This is a voice mailbox. Enter a mobile number.",
}


@dataclass(frozen=True)
class PhoneNumber:
    """A phone number in E.164 form, such as +12025550123."""

    e164: str

    @classmethod
    def parse(cls, raw: str, region: str = "US", *, is_texted: bool = True) -> "PhoneNumber":
        """Read a number as people type it; InvalidInput says what is wrong and what to do.

        `is_texted` False takes a number that is only called, such as an office's toll-free one.
        """
        digits = sum(c.isdigit() for c in raw)
        try:
            number = phonenumbers.parse(raw, region)
        except phonenumbers.NumberParseException:
            raise InvalidInput(f"{digits} digits, needs 10. Type it with its area code.") from None
        if not phonenumbers.is_valid_number(number):
            hint = f"{digits} digits, needs 10." if digits < 10 else "No phone can have this number."
            raise InvalidInput(f"{hint} Check it with the patient.")
        if is_texted and (refusal := _REFUSED.get(phonenumbers.number_type(number))):
            raise InvalidInput(refusal)
        return cls(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))

    @property
    def national(self) -> str:
        """Return the number as its country writes it, for staff pages and texts: (202) 555-0123."""
        number = phonenumbers.parse(self.e164)
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)

    @property
    def masked(self) -> str:
        """Return only the last two digits, for screens where the whole is not needed."""
        return f"•••{self.e164[-2:]}"


@dataclass(frozen=True)
class EmailAddress:
    """An e-mail address with its domain in lower case."""

    address: str

    @classmethod
    def parse(cls, raw: str) -> "EmailAddress":
        """Read an address without asking the network; InvalidInput says what is wrong."""
        try:
            checked = validate_email(raw.strip(), check_deliverability=False, test_environment=True)
        except EmailNotValidError:  # its own words may quote the address; a log must not hold that
            raise InvalidInput(
                "This e-mail address is not complete. It needs a form like name@example.org."
            ) from None
        return cls(checked.normalized.lower())

    @property
    def masked(self) -> str:
        """Return the first letter and the domain."""
        name, _, domain = self.address.partition("@")
        return f"{name[:1]}•••@{domain}"
