"""Add members of staff, check who signs in, change passwords."""

import re
import secrets
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from followup.core.contactpoint import EmailAddress, PhoneNumber
from followup.core.errors import FollowupError, InvalidInput
from followup.core.ids import public_id
from followup.core.vocabulary import StaffRole
from followup.services import audit
from followup.store.models import StaffUser
from followup.store.queries import staff as staff_queries

SHORTEST_PASSWORD = (
    12  #: NIST SP 800-63B 5.1.1.2 asks for 8 and more; ASVS 5.0 6.2.1 recommends 15, accepts 8.
)
LONGEST_PASSWORD = 128  #: A bound on the work that one sign-in can cause.
_FEWEST_DIFFERENT = 5
_FEWEST_OWN = 6  #: Characters that must be left when what everybody guesses first is taken out.
#: NIST SP 800-63B 5.1.1.2 has new passwords compared with those commonly used: here the words that most of
#: them are made of, and rows of the keyboard. Long ones first, so that the whole of one is taken out.
_COMMON = re.compile(
    "|".join(
        (
            "qwertyuiop", "1q2w3e4r5t", "administrator", "password", "passwort", "contrasena", "asdfghjkl",
            "iloveyou", "sunshine", "princess", "football", "baseball", "superman", "trustno1", "changeme",
            "whatever", "starwars", "hospital", "followup", "zxcvbnm", "letmein", "welcome", "charlie",
            "michael", "jessica", "1q2w3e4r", "qwerty", "azerty", "asdfgh", "monkey", "dragon", "master",
            "shadow", "secret", "doctor", "clinic", "winter", "summer", "spring", "autumn", "abc123", "hello",
            "admin", "login", "nurse", "abcdef", "pass",
        )
    )
)  # fmt: skip
_SWAPPED = str.maketrans("@$!13057", "asileost")  #: What people write for letters.

#: OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, 2 passes, 1 lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
#: The hash of a random password that nobody kept: an unknown name costs the same work as a known one.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$nSlN0cNMwpiSuQGRjZtNpA$AwDDUHMsh2R2nvNoRTDvkrvhntcoIXK57aMfE4nCBO8"


class SignInRefused(FollowupError):
    """Email or password is not right."""

    code: ClassVar[str] = "sign_in.refused"
    safe_for_staff: ClassVar[bool] = True


def add(
    session: Session,
    organization_id: UUID,
    *,
    display_name: str,
    email: str,
    phone: str | None,
    role: StaffRole,
    receives_pages: bool,
    password: str | None,
    now: datetime,
) -> tuple[StaffUser, str | None]:
    """Add a member of staff; without a password one is drawn and given back, to be shown once.

    Raises InvalidInput for a bad address, number or password, and for an address that signs in already.
    """
    address = EmailAddress.parse(email).address
    if staff_queries.is_taken(session, address):
        raise InvalidInput("Somebody signs in with this email already. Use another one.", field="email")
    drawn = secrets.token_urlsafe(15) if password is None else None
    user = StaffUser(
        organization_id=organization_id,
        public_id=public_id("stf"),
        display_name=_named(display_name),
        email=address,
        phone=PhoneNumber.parse(phone).e164 if phone else None,
        role=role,
        receives_pages=receives_pages,
        password_hash=_hash(password or drawn or "", email=address),
        created_at=now,
    )
    session.add(user)
    session.flush()
    audit.record(session, organization_id, "staff.add", now=now, entity=user.public_id, role=role.value)
    return user, drawn


def _named(display_name: str) -> str:
    name = " ".join(display_name.split())
    if not name or len(name) > 60:
        raise InvalidInput("Name: between 1 and 60 characters.", field="display_name")
    return name


def _hash(password: str, *, email: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(
            f"Password: {len(password)} characters, needs {SHORTEST_PASSWORD} or more.", field="password"
        )
    if len(password) > LONGEST_PASSWORD:
        raise InvalidInput(f"Password: at most {LONGEST_PASSWORD} characters.", field="password")
    name = email.partition("@")[0]
    if _is_common(password) or (len(name) > 3 and name in password.lower()):
        raise InvalidInput("Password: too easy to guess. Use a few unrelated words.", field="password")
    return _hasher.hash(password)


def _is_common(password: str) -> bool:
    """Tell whether a password is made of what everybody guesses: common words, rows, one piece repeated."""
    low = password.lower()
    if len(set(low)) < _FEWEST_DIFFERENT or re.fullmatch(r"(.{1,16}?)\1+.{0,3}", low):
        return True
    plain = (_COMMON.sub("", low), _COMMON.sub("", low.translate(_SWAPPED)))
    return min(sum(char.isalpha() for char in left) for left in plain) < _FEWEST_OWN


def authenticate(session: Session, email: str, password: str, now: datetime) -> StaffUser:
    """Return the member with that address and password; SignInRefused says nothing about which was wrong.

    The same work is done for an unknown name. Both ends are audited: commit the session even when refused.
    """
    user = staff_queries.for_sign_in(session, email.strip().lower())
    is_right = _verify(user.password_hash if user is not None else _NOBODY, password[:LONGEST_PASSWORD])
    if user is None or not is_right:
        organization_id, entity = (user.organization_id, user.public_id) if user is not None else (None, None)
        audit.record(session, organization_id, "staff.sign_in_refused", now=now, entity=entity)
        raise SignInRefused
    if _hasher.check_needs_rehash(user.password_hash):
        user.password_hash = _hasher.hash(password)
    user.last_signed_in_at = now
    audit.record(
        session, user.organization_id, "staff.sign_in", now=now, staff_id=user.id, entity=user.public_id
    )
    return user


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def sign_out(session: Session, user: StaffUser, *, now: datetime) -> None:
    """End every open session of a member, on every device."""
    user.session_epoch += 1
    audit.record(
        session, user.organization_id, "staff.sign_out", now=now, staff_id=user.id, entity=user.public_id
    )


def change_password(session: Session, user: StaffUser, *, old: str, new: str, now: datetime) -> None:
    """Replace a member's password and end their open sessions; the old one must be right."""
    if not _verify(user.password_hash, old[:LONGEST_PASSWORD]):
        raise InvalidInput("Your present password is not right.", field="old")
    user.password_hash = _hash(new, email=user.email)
    user.session_epoch += 1
    audit.record(
        session,
        user.organization_id,
        "staff.change_password",
        now=now,
        staff_id=user.id,
        entity=user.public_id,
    )


def draw_password(session: Session, user: StaffUser, *, now: datetime) -> str:
    """Give a member a new random password, end their open sessions, and return it, to be shown once."""
    drawn = secrets.token_urlsafe(15)
    user.password_hash = _hash(drawn, email=user.email)
    user.session_epoch += 1
    audit.record(session, user.organization_id, "staff.draw_password", now=now, entity=user.public_id)
    return drawn
