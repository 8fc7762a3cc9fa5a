"""Fill the fields of a text: a message, a language, a channel and values in, what is sent out.

`{name}` is replaced in one pass from an allow-list of fields, so a value is never read as a template.
Errors name the message and the fields, never a value.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template, select_autoescape

from followup.core.datafiles import load_bytes
from followup.core.errors import ContentError
from followup.core.vocabulary import Channel, Language
from followup.messages.catalog import Message, Words, load_catalog
from followup.messages.segments import fold, segments, to_gsm
from followup.messages.wording import load_wording

PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What goes out: the text, subject and HTML (e-mail only), the language it is really in.

    `segments` counts what an SMS costs; it is 0 on other channels.
    """

    text: str
    subject: str | None
    html: str | None
    language: Language
    segments: int


class Piece(NamedTuple):
    """Part of a paragraph: words, or an address to be clicked."""

    text: str
    is_link: bool


def placeholders(text: str) -> list[str]:
    """Return the field names that stand in braces, in order."""
    return PLACEHOLDER.findall(text)


def render(
    message: Message,
    language: Language,
    channel: Channel,
    fields: Mapping[str, str],
    *,
    first_of_day: bool,
    preferences_link: str | None = None,
    takes_replies: bool = False,
) -> Rendered:
    """Return the text ready to send on one channel.

    `fields` may hold more allow-listed fields than the text needs (a clinic's standing ones); a missing or
    unknown one is a ContentError. An SMS that is the first automatic text of the day gets the clinic's name
    in front. Mail to patients ends with the footer and its `preferences_link`; `takes_replies` puts the reply
    marker above it. A `link` that the text of a mail does not hold becomes its last paragraph.
    """
    if channel not in message.channels:
        raise ContentError(f"{message.key} does not go by {channel}")
    if unknown := sorted(set(fields) - set(load_wording().fields)):
        raise ContentError(f"{message.key}: unknown fields: {', '.join(unknown)}")
    words = message.words(language)
    if channel is Channel.EMAIL:
        return _mail(message, words, fields, preferences_link, takes_replies)
    if channel is Channel.WEB:
        return Rendered(_fill(message.key, words.text, fields), None, None, words.language, 0)
    return _sms(message, words, fields, first_of_day)


def _one_line(value: str) -> str:
    """Return a value without line breaks: one could forge a mail header or a paragraph."""
    return " ".join(value.split())


def _fill(key: str, text: str, fields: Mapping[str, str], clean: Callable[[str], str] = _one_line) -> str:
    if missing := sorted(set(placeholders(text)) - set(fields)):
        raise ContentError(f"{key}: missing fields: {', '.join(missing)}")
    return PLACEHOLDER.sub(lambda found: clean(fields[found[1]]), text)


def _sms(message: Message, words: Words, fields: Mapping[str, str], first_of_day: bool) -> Rendered:
    text = words.text
    if first_of_day and message.audience != "staff" and "{org}" not in text:
        text = load_wording().prefix + text
    if words.language is Language.ES:
        text = fold(text)
    filled = _fill(message.key, text, fields, clean=to_gsm)
    return Rendered(filled, None, None, words.language, segments(filled))


def _pieces(key: str, text: str, fields: Mapping[str, str]) -> list[Piece]:
    """Cut one paragraph at `{link}`, the only field that becomes a link."""
    pieces = []
    for part in re.split(r"(\{link\})", text):
        filled = _fill(key, part, fields)
        pieces.append(Piece(filled, part == "{link}" and filled.startswith(("https://", "http://"))))
    return [piece for piece in pieces if piece.text]


def _paragraphs(key: str, text: str, fields: Mapping[str, str]) -> list[list[Piece]]:
    return [_pieces(key, part.strip(), fields) for part in text.split("\n\n") if part.strip()]


def _mail(
    message: Message,
    words: Words,
    fields: Mapping[str, str],
    preferences_link: str | None,
    takes_replies: bool,
) -> Rendered:
    if words.subject is None:
        raise ContentError(f"{message.key} has no subject")
    said = _said_by_mail(message, words)
    text = said if "link" not in fields or "{link}" in said else said + "\n\n{link}"
    shown: dict[str, Any] = {
        "language": words.language.value,
        "subject": _fill(message.key, words.subject, fields),
        "above": _above(words.language) if takes_replies else [],
        "body": _paragraphs(message.key, text, fields),
        "below": _below(message, words.language, fields, preferences_link),
    }
    plain = _layout("email.txt.j2").render(shown).strip() + "\n"
    return Rendered(plain, shown["subject"], _layout("email.html.j2").render(shown), words.language, 0)


def _said_by_mail(message: Message, words: Words) -> str:
    shared = load_wording()
    if message.key not in shared.wrapped:
        return words.text
    return load_catalog().get(shared.wrapper).words(words.language).text


def _above(language: Language) -> list[list[Piece]]:
    marker = load_wording().reply_marker
    return _paragraphs(marker, load_catalog().get(marker).words(language).text, {})


def _below(
    message: Message, language: Language, fields: Mapping[str, str], preferences_link: str | None
) -> list[list[Piece]]:
    shared = load_wording()
    if message.audience == "staff" or message.key in shared.without_footer:
        return []
    if preferences_link is None:
        raise ContentError(f"{message.key}: missing fields: preferences_link")
    footer = load_catalog().get(shared.footer).words(language).text
    return _paragraphs(shared.footer, footer, {**fields, "link": preferences_link})


def _source(name: str) -> str:
    return load_bytes("followup.messages.layout", name).decode("utf-8")


@cache
def _layout(name: str) -> Template:
    """Return a compiled layout; only the HTML one escapes what it is given."""
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
