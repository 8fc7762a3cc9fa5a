"""Load every text in every language: `Message` is one entry, `Catalog` finds it by key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from followup.core.datafiles import load_toml
from followup.core.errors import ContentError
from followup.core.vocabulary import Channel, Language
from followup.messages.wording import Wording, load_wording

#: Kind of a message -> its file in each language's folder.
FILES: Mapping[str, str] = {
    "education": "education",
    "checkin": "checkins",
    "taper": "taper",
    "reply": "replies",
    "safety": "safety",
    "keyword": "keywords",
    "consent": "consent",
    "email": "email",
    "web": "web",
    "staff": "staff",
}
_HEAD = frozenset({"owner", "status", "reviewed_on"})
_FLAGS = frozenset({"default_off", "fragment", "same_text"})
_VARIANTS = frozenset({"hidden_variant", "today_variant", "closed_variant"})
_OTHER_KEYS = frozenset({"text", "subject"})
_ENGLISH_KEYS = (
    frozenset({"about", "channels", "audience", "asks", "fields", "form_field", "source"})
    | _FLAGS
    | _VARIANTS
    | _OTHER_KEYS
)


class Words(NamedTuple):
    """A text and subject as written, fields still in braces, and the language they were found in."""

    text: str
    subject: str | None
    language: Language


class Review(NamedTuple):
    """Who owns a file of texts, and whether anybody has reviewed it."""

    owner: str
    status: str
    reviewed_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One catalogue entry: what a text is for, where it may go, what it asks, and its words."""

    key: str
    kind: str
    about: str
    audience: str
    channels: tuple[Channel, ...]
    asks: str | None
    fields: tuple[str, ...]
    texts: Mapping[Language, str]
    subjects: Mapping[Language, str]
    hidden_variant: str | None = None
    today_variant: str | None = None
    closed_variant: str | None = None
    form_field: str | None = None
    default_off: bool = False
    fragment: bool = False
    same_text: bool = False
    source: str = ""

    def words(self, language: Language) -> Words:
        """Return the words in that language, or in English where it has none; `Words.language` says which."""
        found = language if language in self.texts else Language.EN
        return Words(self.texts[found], self.subjects.get(found), found)


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """Every message by key, with the wording they share and the review line of every file."""

    messages: Mapping[str, Message]
    wording: Wording
    reviews: Mapping[str, Review]

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages in the order of their files."""
        return iter(self.messages.values())

    def __len__(self) -> int:
        """Return how many messages there are."""
        return len(self.messages)

    def __contains__(self, key: object) -> bool:
        """Say whether a key is known."""
        return key in self.messages

    def get(self, key: str) -> Message:
        """Return the message; ContentError if the key is unknown."""
        try:
            return self.messages[key]
        except KeyError:
            raise ContentError(f"unknown message: {key}") from None

    def text(self, key: str, language: Language, channel: Channel) -> Words:
        """Return the unfilled words for a channel; ContentError if the key or the channel is not its own."""
        message = self.get(key)
        if channel not in message.channels:
            raise ContentError(f"{key} does not go by {channel}")
        return message.words(language)

    def facts(self) -> dict[str, dict[str, Any]]:
        """Return what plans must know of each message, as plain data for `protocols.checks`."""
        return {
            one.key: {
                "kind": one.kind,
                "asks": one.asks,
                "channels": tuple(channel.value for channel in one.channels),
                "audience": one.audience,
                "default_off": one.default_off,
                "fragment": one.fragment,
                "today_variant": one.today_variant,
            }
            for one in self
        }


Files = Mapping[str, Mapping[str, Mapping[str, Any]]]


def _entries(file: Mapping[str, Any], where: str, allowed: frozenset[str]) -> Mapping[str, Mapping[str, Any]]:
    entries = {key: entry for key, entry in file.items() if key not in _HEAD}
    for key, entry in entries.items():
        if not isinstance(entry, Mapping):
            raise ContentError(f"{where}: {key} is not a message")
        if unknown := set(entry) - allowed:
            raise ContentError(f"{where}: {key} holds unknown keys: {', '.join(sorted(unknown))}")
        if "text" not in entry:
            raise ContentError(f"{where}: {key} has no text")
        if "about" in allowed and "about" not in entry:
            raise ContentError(f"{where}: {key} does not say what it is about")
    return entries


def _review(file: Mapping[str, Any]) -> Review:
    return Review(file.get("owner", ""), file.get("status", ""), str(file.get("reviewed_on", "")))


def _channels(key: str, entry: Mapping[str, Any]) -> tuple[Channel, ...]:
    try:
        return tuple(Channel(channel) for channel in entry.get("channels", ()))
    except ValueError as unknown:
        raise ContentError(f"{key}: {unknown}") from unknown


def _message(
    key: str, kind: str, entry: Mapping[str, Any], others: Mapping[Language, Mapping[str, Any]]
) -> Message:
    worded = {Language.EN: entry, **others}
    rest = {name: entry[name] for name in set(entry) - _OTHER_KEYS - {"channels", "fields"}}
    return Message(
        key=key,
        kind=kind,
        channels=_channels(key, entry),
        fields=tuple(entry.get("fields", ())),
        texts=MappingProxyType({language: one["text"] for language, one in worded.items()}),
        subjects=MappingProxyType({lang: one["subject"] for lang, one in worded.items() if "subject" in one}),
        **{"asks": None, "audience": "staff" if kind == "staff" else "patient", **rest},
    )


def _of_kind(kind: str, files: Files) -> dict[str, Message]:
    name = FILES[kind]
    english = _entries(files[Language.EN][name], f"en/{name}.toml", _ENGLISH_KEYS)
    others = {
        language: _entries(files[language][name], f"{language}/{name}.toml", _OTHER_KEYS)
        for language in Language
        if language is not Language.EN
    }
    for language, entries in others.items():
        if strangers := sorted(set(entries) - set(english)):
            raise ContentError(f"{language}/{name}.toml: no English text for {', '.join(strangers)}")
    return {
        key: _message(key, kind, entry, {lang: found[key] for lang, found in others.items() if key in found})
        for key, entry in english.items()
    }


def catalog_from(files: Files, wording: Wording) -> Catalog:
    """Build a catalogue from language -> file name -> mapping; ContentError names file and key at fault."""
    messages: dict[str, Message] = {}
    for kind, name in FILES.items():
        found = _of_kind(kind, files)
        if twice := sorted(set(found) & set(messages)):
            raise ContentError(f"en/{name}.toml: already in another file: {', '.join(twice)}")
        messages |= found
    reviews = {
        f"{language}/{name}.toml": _review(file)
        for language, named in files.items()
        for name, file in named.items()
    }
    return Catalog(MappingProxyType(messages), wording, MappingProxyType(reviews))


def _read(language: Language) -> dict[str, Mapping[str, Any]]:
    package = f"followup.messages.{language}"
    return {name: load_toml(package, f"{name}.toml") for name in FILES.values()}


def read_files() -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return the shipped files as mappings: language -> file name -> content."""
    return {language: _read(language) for language in Language}


@cache
def load_catalog() -> Catalog:
    """Return the shipped catalogue, read once."""
    return catalog_from(read_files(), load_wording())
