"""Name everything of a replay by the file's digest and the row, so that a second run finds it all again."""

import hashlib

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_AREAS = ("202", "303", "512", "617", "720", "919")


class Names:
    """Everything that is derived from a file's digest and a row's name."""

    def __init__(self, digest: str) -> None:
        """Keep the digest (hex) and draw the clinic's number from it."""
        self.digest = digest
        self.number = f"+1{self._area()}{self._exchange()}0100"

    def _drawn(self, what: str) -> int:
        return int(hashlib.sha256(f"{self.digest}:{what}".encode()).hexdigest(), 16)

    def _area(self) -> str:
        return _AREAS[self._drawn("area") % len(_AREAS)]

    def _exchange(self) -> str:
        return f"{200 + self._drawn('exchange') % 700:03d}"

    def public_id(self, prefix: str, what: str) -> str:
        """Return the id of a row; the same for the same file."""
        drawn, letters = self._drawn(f"{prefix}:{what}"), []
        for _ in range(12):
            drawn, letter = divmod(drawn, len(_ALPHABET))
            letters.append(_ALPHABET[letter])
        return f"{prefix}_{''.join(letters)}"

    def sid(self, row: int) -> str:
        """Return the MessageSid of a row's reply."""
        return "SM" + hashlib.sha256(f"{self.digest}:sid:{row}".encode()).hexdigest()[:32]

    def phone(self, row: int) -> str:
        """Return a number of the plan's shape that no other row has; it never leaves the sandbox."""
        block, line = divmod(row, 10_000)
        return f"+1{self._area()}{900 + block:03d}{line:04d}"
