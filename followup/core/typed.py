"""Take what people type as words only: no sign that steers a screen instead of being read."""

import unicodedata

#: Line ends and tabs are the only control characters that a person means to type.
_MEANT = frozenset("\n\r\t")


def cleaned(text: str) -> str:
    """Return the text without control and format characters (Unicode Cc and Cf), line ends and tabs kept.

    A right-to-left override makes a name or a number read as another one; a zero-width sign makes two names
    that look the same; a NUL is refused by the database.
    """
    return "".join(char for char in text if char in _MEANT or unicodedata.category(char) not in {"Cc", "Cf"})
