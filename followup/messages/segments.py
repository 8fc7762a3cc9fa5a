"""Count what a text costs on the air: GSM 03.38 or UCS-2, and how many segments.

Characters and limits: 3GPP TS 23.038 section 6.2.1 (default alphabet and its extension table) and
TS 23.040 section 9.2.3.24.1 (a 6-octet header in each part of a longer text).
"""

import unicodedata
from functools import cache
from typing import Literal

from followup.messages.wording import load_wording

#: The basic table: 128 places less the escape.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: The extension table: each of these takes two places.
EXTENSION = frozenset("\f^{}\\[~]|€")
#: Septets in a single text and in each part of a longer one.
GSM_SINGLE, GSM_PART = 160, 153
#: UTF-16 units in a single text and in each part of a longer one.
UCS2_SINGLE, UCS2_PART = 70, 67

Encoding = Literal["gsm7", "ucs2"]


_GSM = BASIC | EXTENSION


def is_gsm(char: str) -> bool:
    """Say whether one character is in the GSM 03.38 basic or extension table."""
    return char in _GSM


def encoding(text: str) -> Encoding:
    """Return how a carrier will encode the text: one sign outside GSM 03.38 turns all of it into UCS-2."""
    return "gsm7" if _GSM.issuperset(text) else "ucs2"


def _is_wide(char: str, coded: Encoding) -> bool:
    """Say whether a character takes two places: an escape pair, or a surrogate pair."""
    return char in EXTENSION if coded == "gsm7" else ord(char) > 0xFFFF


def size(text: str) -> int:
    """Return the length on the air: septets for GSM 03.38, UTF-16 units for UCS-2."""
    coded = encoding(text)
    return len(text) + sum(_is_wide(char, coded) for char in text)


def segments(text: str) -> int:
    """Return the number of parts a carrier bills; an escape or surrogate pair is never cut in two."""
    coded = encoding(text)
    single, part = (GSM_SINGLE, GSM_PART) if coded == "gsm7" else (UCS2_SINGLE, UCS2_PART)
    if size(text) <= single:
        return 1
    parts, used = 1, 0
    for char in text:
        width = 2 if _is_wide(char, coded) else 1
        if used + width > part:
            parts, used = parts + 1, 0
        used += width
    return parts


@cache
def _fold_table() -> dict[int, str]:
    return str.maketrans(dict(load_wording().fold))


def fold(text: str) -> str:
    """Return Spanish text with the letters outside the GSM table replaced as `wording.toml` says."""
    return text.translate(_fold_table())


def to_gsm(value: str) -> str:
    """Return a field's value in GSM 03.38 only: plain quotes and dashes, accents dropped, the rest left out.

    A clinic name with an emoji or a curly apostrophe must not double the price of every text.
    """
    plain = value
    if encoding(value) != "gsm7":
        plain = "".join(_plain(char) for char in unicodedata.normalize("NFC", value))
    return " ".join(plain.split())


def _plain(char: str) -> str:
    if is_gsm(char):
        return char
    shared = load_wording()
    if char in shared.typography:
        return shared.typography[char]
    return "".join(base for base in unicodedata.normalize("NFKD", char) if is_gsm(base))
