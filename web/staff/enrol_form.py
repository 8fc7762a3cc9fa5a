"""Read the enrolment form: what was typed becomes an Enrolment, or a fault beside its field."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import available_timezones

from followup.clinical.drugs import DrugTable, Form
from followup.clinical.issues import History
from followup.core.vocabulary import Course, Language
from followup.services.enrolment_form import Enrolment, Rx
from web.forms import FormReader

#: Zones that most patients of a US clinic are in, named as people say them.
US_ZONES = (
    ("America/New_York", "Eastern (New York)"),
    ("America/Chicago", "Central (Chicago)"),
    ("America/Denver", "Mountain (Denver)"),
    ("America/Phoenix", "Arizona, no summer time (Phoenix)"),
    ("America/Los_Angeles", "Pacific (Los Angeles)"),
    ("America/Anchorage", "Alaska (Anchorage)"),
    ("Pacific/Honolulu", "Hawaii (Honolulu)"),
    ("America/Puerto_Rico", "Atlantic, no summer time (Puerto Rico)"),
)
FORMS = (
    (Form.IR_TABLET, "Tablet or capsule, immediate release"),
    (Form.EXTENDED_RELEASE, "Extended release"),
    (Form.PATCH, "Patch"),
    (Form.LIQUID, "Liquid"),
    (Form.INJECTION, "Injection"),
)
COURSES = (
    (Course.SHORT, "Short: taken daily, steps every 2 days"),
    (Course.LONG, "Long: taken daily, steps every week"),
    (Course.PRN, "As needed: no steps"),
)
#: Reference 5.3.4: with any of these a clinician writes every step by hand, or looks twice.
HISTORY = (
    ("opioid_before", "Opioids before surgery, or in treatment for opioid use disorder"),
    ("sedative_daily", "A benzodiazepine or other sedative each day"),
    ("pregnant", "Pregnant"),
    ("cancer_or_sickle_cell", "Cancer, sickle cell disease or palliative care"),
    ("seizure_disorder", "Seizure disorder"),
    ("frail_organs", "Kidney, liver or lung disease, or sleep apnea"),
)
SEXES = (("female", "Female"), ("male", "Male"), ("other", "Other"))
_ONE, _HALF = Decimal(1), Decimal("0.5")
_PRODUCT = "product:"


def drug_choices(drugs: DrugTable) -> list[tuple[str, Sequence[tuple[str, str]]]]:
    """Return the groups of the drug list: single opioids, then combination tablets."""
    single = [(key, one.label) for key, one in drugs.opioids.items()]
    combined = [(_PRODUCT + key, one.label) for key, one in drugs.products.items()]
    return [("Opioid alone", sorted(single, key=lambda one: one[1])), ("With acetaminophen", combined)]


@cache
def all_zones() -> tuple[str, ...]:
    """Return every IANA zone with a place in its name."""
    return tuple(
        sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
    )


def read(
    form: FormReader, *, drugs: DrugTable, protocols: Mapping[str, object], region: str, now: datetime
) -> Enrolment | None:
    """Return the enrolment that the form describes, or None with every fault noted on the form.

    Fields are read in the page's order, so that the first fault is the one that a reader meets first.
    What needs the clinic's data (a shared phone, the patient's own today) is checked by the service after.
    """
    today = now.date()
    given = form.text("given_name", longest=80, missing="Type the given name as the patient says it.")
    family = form.text("family_name", longest=80, missing="Type the family name as the patient says it.")
    born = form.day(
        "birth_on",
        missing="Type the date of birth: this program is for adults.",
        earliest=date(1900, 1, 1),
        latest=today,
    )
    phone, email = form.phone("phone", region=region), form.email("email")
    if not form.raw("phone") and not form.raw("email"):
        form.fault("phone", "Type a mobile number, an e-mail address, or both.")
    zone = form.choice(
        "time_zone",
        all_zones(),
        missing="Choose the zone of the place where the patient will stay. Ask; do not guess.",
    )
    language = form.word("language", Language, missing="Choose the language that the patient wants to read.")
    procedure = form.text(
        "procedure", longest=120, missing="Name the operation. No text to the patient holds it."
    )
    discharge = form.day(
        "discharge_on",
        missing="Choose the day the patient goes home.",
        earliest=today - timedelta(days=60),
        latest=today + timedelta(days=60),
    )
    rx = _prescription(form, drugs, today)
    course = form.word("course", Course, missing="Choose how the pain pills are meant to be taken.")
    support = form.yes_no("support", missing="Ask whether the patient wants support tips. Choose yes or no.")
    protocol = form.choice("protocol", list(protocols), missing="Choose one of the programs of this clinic.")
    if form.errors or rx is None or given is None or family is None or procedure is None or discharge is None:
        return None
    if language is None or zone is None or course is None or support is None or protocol is None:
        return None
    return Enrolment(
        given_name=given,
        family_name=family,
        birth_on=born,
        sex=form.choice("sex", [key for key, _ in SEXES], missing=None),
        phone=phone,
        email=email,
        language=language,
        time_zone=zone,
        procedure=procedure,
        discharge_on=discharge,
        course=course,
        support=support,
        rx=rx,
        protocol=protocol,
        hide_numbers=form.ticked("hide_numbers"),
        is_spine=form.ticked("is_spine"),
        shared_phone_ok=form.ticked("shared_phone_ok"),
        history=_history(form),
    )


def _history(form: FormReader) -> History:
    ticked = form.many("history", [key for key, _ in HISTORY])
    return History(**dict.fromkeys(ticked, True))


def _prescription(form: FormReader, drugs: DrugTable, today: date) -> Rx | None:
    options = [key for _, group in drug_choices(drugs) for key, _ in group]
    chosen = form.choice("drug", options, missing="Choose the pain medicine from the list.")
    shape = form.word("form", Form, missing="Choose the form that was dispensed.")
    drug, strength, apap = _what(form, drugs, chosen)
    most = form.number(
        "max_units_per_day",
        missing="Type the most per day that the label allows.",
        low=_HALF,
        high=Decimal(100),
        step=_HALF,
    )
    dispensed = form.number(
        "dispensed_units", missing="Type how many were dispensed.", low=_ONE, high=Decimal(1000), step=_HALF
    )
    regular = form.yes_no(
        "is_regular", missing="Ask whether the pills are taken around the clock. Choose yes or no."
    )
    first = form.day(
        "first_taken_on",
        missing=None,
        earliest=today - timedelta(days=3650),
        latest=today + timedelta(days=1),
    )
    if shape is None or most is None or regular is None or drug is None or strength is None:
        return None
    return Rx(drug, strength, most, regular, apap, dispensed, first, shape)


def _what(form: FormReader, drugs: DrugTable, chosen: str | None) -> tuple[str | None, Decimal | None, int]:
    """Return opioid, strength and acetaminophen: a combination tablet says them all itself."""
    if chosen is not None and chosen.startswith(_PRODUCT):
        product = drugs.product(chosen.removeprefix(_PRODUCT))
        typed = form.number("strength_mg", missing=None, low=Decimal("0.1"), high=Decimal(1000))
        if typed is not None and typed != product.strength:
            form.fault(
                "strength_mg",
                f"{product.label} holds {product.strength} mg. Leave this empty, or choose another.",
            )
        return product.opioid, product.strength, product.apap_mg
    strength = form.number(
        "strength_mg",
        missing="Type the strength of one tablet in mg.",
        low=Decimal("0.1"),
        high=Decimal(1000),
    )
    return chosen, strength, 0
