"""Law for the whole catalogue: `check` returns faults as `file/key/language: what is wrong; what to do`."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from followup.core.vocabulary import Channel, Language
from followup.messages.catalog import FILES, Catalog, Message
from followup.messages.events import Events, Pick
from followup.messages.law import Law, load_law
from followup.messages.lint_words import Bench, folded, measured, text_faults
from followup.messages.render import placeholders
from followup.messages.segments import segments, size

AUDIENCES = ("patient", "caregiver", "staff")


def check(
    catalog: Catalog, events: Events, scheduled: Collection[str] | None = None, law: Law | None = None
) -> list[str]:
    """Return every fault of the texts and events; an empty list means they may ship.

    `scheduled` holds the keys that plans send (`protocols.checks.used_messages`); with it, texts that nothing
    sends are faults too. `law` is for tests; the shipped one is used otherwise.
    """
    law = law or load_law()
    bench = Bench.of(law, catalog.wording)
    faults = [fault for message in catalog for fault in message_faults(message, catalog, bench)]
    faults += catalog_faults(catalog, law)
    faults += _event_faults(catalog, events)
    if scheduled is not None:
        faults += _orphans(catalog, events, scheduled)
    return faults


def message_faults(message: Message, catalog: Catalog, bench: Bench) -> Iterator[str]:
    """Yield the faults of one message, in all its languages."""
    where = f"{FILES[message.kind]}/{message.key}"
    yield from (f"{where}: {fault}" for fault in _entry_faults(message, catalog))
    yield from (f"{where}: {fault}" for fault in _field_faults(message, catalog, bench.law))
    for language in Language:
        if not message.texts.get(language, "").strip():
            yield f"{where}/{language}: no text; every language needs one"
            continue
        yield from (f"{where}/{language}: {fault}" for fault in text_faults(message, language, bench))


def catalog_faults(catalog: Catalog, law: Law) -> Iterator[str]:
    """Yield what no single text shows: fixed texts, shared wording, review lines."""
    yield from _must_faults(catalog, law)
    yield from _shared_faults(catalog)
    yield from _review_faults(catalog)


def _entry_faults(message: Message, catalog: Catalog) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9_]+", message.key):
        yield "the id may hold small letters, digits and _ only"
    if not message.channels:
        yield "no channel; name at least one"
    if message.audience not in AUDIENCES or (message.kind == "staff") != (message.audience == "staff"):
        yield f"audience {message.audience} does not fit the file; staff.toml holds texts to staff only"
    if message.asks is not None and message.asks not in catalog.wording.asks:
        yield f"asks {message.asks} is unknown; use a key of [asks] in wording.toml"
    if not message.source.strip():
        yield "no source; say where the text comes from"
    for name in ("hidden_variant", "today_variant", "closed_variant"):
        variant = getattr(message, name)
        if variant is not None and variant not in catalog:
            yield f"{name} {variant} is unknown; use a key of the catalogue"
        elif variant is not None and catalog.get(variant).asks != message.asks:
            yield f"{name} {variant} asks something else; a variant asks the same"


def _field_faults(message: Message, catalog: Catalog, law: Law) -> Iterator[str]:
    texts = list(message.texts.values())
    used = set(placeholders(message.texts[Language.EN]))
    for language, text in message.texts.items():
        if strange := used ^ set(placeholders(text)):
            yield f"fields differ between en and {language}: {', '.join(sorted(strange))}"
    everywhere = used | {name for subject in message.subjects.values() for name in placeholders(subject)}
    if unknown := everywhere - set(catalog.wording.fields):
        yield f"unknown field: {', '.join(sorted(unknown))}; use one of [fields] in wording.toml"
    if set(message.fields) != everywhere:
        yield f"the fields list is wrong; it should be {', '.join(sorted(everywhere))}"
    if message.audience == "staff" and (patient := used & law.staff_fields):
        yield f"a text to staff holds patient data: {', '.join(sorted(patient))}"
    if any(re.search(r"[{}]", re.sub(r"\{\w+\}", "", text)) for text in texts):
        yield "stray brace; braces are for fields only"
    if any(re.search(r"[“”‘’–—…]", text) for text in texts):
        yield "typographic sign; use plain quotes, dashes and dots"
    if len(texts) > 1 and len(set(texts)) == 1 and not message.same_text and texts[0] != "No":
        yield "the languages hold the same text; translate it or set same_text = true"


def _must_faults(catalog: Catalog, law: Law) -> Iterator[str]:
    for key in law.seed:
        if key not in catalog:
            yield f"{key}: a seed id is gone; ids are never renamed"
    for must in law.must_say:
        for key in must.keys:
            yield from _lacks(catalog, key, must.part)
    for message in catalog:
        if message.kind == "safety" and message.key not in law.safety_except:
            yield from _lacks(catalog, message.key, dict.fromkeys(Language, law.safety_says))
        closed = message.key.endswith("_closed") and message.kind in law.closed_kinds
        if closed and message.key not in law.closed_except:
            yield from _lacks(catalog, message.key, dict.fromkeys(Language, law.closed_says))


def _lacks(catalog: Catalog, key: str, part: Mapping[Language, str]) -> Iterator[str]:
    if key not in catalog:
        yield f"{key}: a text that law or safety fixes is gone; put it back"
        return
    message = catalog.get(key)
    for language, text in message.texts.items():
        if part[language] not in text:
            yield f"{FILES[message.kind]}/{key}/{language}: must say {part[language]}"


def _shared_faults(catalog: Catalog) -> Iterator[str]:
    asked = {message.asks for message in catalog}
    for key in sorted(set(catalog.wording.asks) - asked):
        yield f"wording.toml/asks: {key} has no question; add one or take it out"
    used = {name for message in catalog for name in message.fields}
    for name in sorted(set(catalog.wording.fields) - used):
        yield f"wording.toml/fields: {name} is used nowhere; take it out"
    shared = catalog.wording
    for key in sorted(
        {shared.footer, shared.reply_marker, shared.wrapper, *shared.wrapped, *shared.without_footer}
    ):
        if key not in catalog:
            yield f"wording.toml/mail: unknown message {key}; use a key of the catalogue"


def _review_faults(catalog: Catalog) -> Iterator[str]:
    for file, review in catalog.reviews.items():
        if not review.owner:
            yield f"{file}: no owner; say who answers for the words"
        reviewed = re.fullmatch(r"\d{4}-\d\d-\d\d", review.reviewed_on) is not None
        if (review.status, reviewed) not in (("draft", False), ("approved", True)):
            yield f'{file}: status and reviewed_on disagree; use draft and "never", or approved and a date'


def _event_faults(catalog: Catalog, events: Events) -> Iterator[str]:
    for event in events.all():
        if unknown := [key for key in event.message_keys if key not in catalog]:
            yield f"events.toml/{event.name}: unknown message {', '.join(unknown)}; use a known key"
        if not event.message_keys:
            yield f"events.toml/{event.name}: no message; name at least one"
        if event.limit.times is not None and event.limit.times < 1:
            yield f"events.toml/{event.name}: times must be 1 or more"
        if len(event.message_keys) == 1 and event.pick is not Pick.ALL:
            yield f"events.toml/{event.name}: pick {event.pick} needs several messages"


def _orphans(catalog: Catalog, events: Events, scheduled: Collection[str]) -> Iterator[str]:
    reached = {key for event in events.all() for key in event.message_keys} | set(scheduled)
    for message in catalog:
        if message.key not in reached and message.kind != "web" and not message.fragment:
            yield f"{FILES[message.kind]}/{message.key}: nothing sends it; name it in a plan or an event"


def summary(catalog: Catalog, events: Events) -> list[str]:
    """Return counts, segments and reading measures, as lines for a person to read."""
    bench = Bench.of(load_law(), catalog.wording)
    kinds = Counter(message.kind for message in catalog)
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return [
        f"{len(catalog)} messages: {counts}; {len(events.all())} events",
        _sms_line(catalog, bench),
        *(_reading_line(catalog, language, bench) for language in Language),
    ]


def _sms_line(catalog: Catalog, bench: Bench) -> str:
    sms = [message for message in catalog if Channel.SMS in message.channels and not message.fragment]
    sent = {
        language: [folded(bench.fill(one.words(language).text, language), language) for one in sms]
        for language in Language
    }
    single = ", ".join(f"{lang} {sum(segments(text) == 1 for text in texts)}" for lang, texts in sent.items())
    longest = ", ".join(f"{lang} {max(map(size, texts))}" for lang, texts in sent.items())
    most = max(segments(text) for texts in sent.values() for text in texts)
    limit = bench.law.max_size
    return f"SMS {len(sms)}: one segment {single}; most {most}; longest {longest} (limit {limit} with prefix)"


def _reading_line(catalog: Catalog, language: Language, bench: Bench) -> str:
    texts = [message for message in catalog if language in message.texts and not message.same_text]
    scores = [score for message in texts if (score := measured(message, language, bench)) is not None]
    mean = sum(scores) / len(scores)
    if language is Language.EN:
        return (
            f"grade (en): highest {max(scores)}, mean {mean:.1f} over {len(scores)} texts of 8 words or more"
        )
    return f"ease (es): lowest {min(scores)}, mean {mean:.1f} over {len(scores)} texts of 8 words or more"
