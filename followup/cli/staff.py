"""`followup staff`: a clinic's first account, and the ones after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from uuid import UUID

import click

from followup.core.errors import InvalidInput, NotFound
from followup.core.vocabulary import StaffRole
from followup.runtime import Runtime, build_runtime
from followup.services import clinics
from followup.services import staff as staff_service

#: Field of a clinic -> the option that says it.
_OPTIONS = {
    "name": "--name",
    "time_zone": "--time-zone",
    "phone": "--phone",
    "oncall_phone": "--oncall-phone",
    "senders": "--sender",
    "hours": "--opens, --closes",
}


@click.group("staff")
def command() -> None:
    """Add members of staff, and the clinic they work at."""


@command.command()
@click.option("--name", required=True, help="As patients know it, 20 characters or fewer.")
@click.option("--time-zone", required=True, help="IANA name, such as America/Denver.")
@click.option("--phone", required=True, help="Office number; it is called, never texted.")
@click.option("--oncall-phone", help="Number that a person answers after hours.")
@click.option(
    "--sender", "senders", multiple=True, required=True, help="Number that texts go out from; repeatable."
)
@click.option("--opens", default="08:00", show_default=True, help="Monday to Friday.")
@click.option("--closes", default="17:00", show_default=True, help="Monday to Friday.")
@click.option(
    "--holiday", "holidays", multiple=True, type=click.DateTime(["%Y-%m-%d"]), help="Closed day; repeatable."
)
def clinic(
    name: str,
    time_zone: str,
    phone: str,
    oncall_phone: str | None,
    senders: tuple[str, ...],
    opens: str,
    closes: str,
    holidays: tuple[date, ...],
) -> None:
    """Add a clinic; prints its id for `followup staff add --clinic`."""
    with _opened() as house, _named_options(), house.session() as session:
        made = clinics.add(
            session,
            name=name,
            time_zone=time_zone,
            phone=phone,
            oncall_phone=oncall_phone,
            senders=senders,
            hours={day: [opens, closes] for day in ("mon", "tue", "wed", "thu", "fri")},
            holidays=[day.strftime("%Y-%m-%d") for day in holidays],
            region=house.settings.phone_region,
            now=house.clock.now(),
        )
        click.echo(made.public_id)


@contextmanager
def _named_options() -> Iterator[None]:
    """Say every fault under the name of its option, all at once."""
    try:
        yield
    except clinics.ClinicRefused as refused:
        lines = (f"{_OPTIONS[field]}: {said}" for field, said in refused.faults.items())
        raise InvalidInput("\n".join(["The clinic was not added.", *lines])) from None


@command.command()
@click.option("--clinic", "clinic_id", required=True, help="The clinic's id, org_...")
@click.option("--name", required=True, help="Shown to colleagues, such as 'J. Rivera RN'.")
@click.option("--email", required=True, help="Sign-in name; pages go here too.")
@click.option("--phone", help="Mobile number for pages.")
@click.option("--role", type=click.Choice([role.value for role in StaffRole]), required=True)
@click.option("--pages/--no-pages", default=False, help="Paged about urgent and emergency alerts.")
@click.password_option("--password", help="At least 12 characters; asked for when it is not given.")
def add(
    clinic_id: str, name: str, email: str, phone: str | None, role: str, pages: bool, password: str
) -> None:
    """Add a member of staff to a clinic."""
    with _opened() as house, house.session() as session:
        user, _ = staff_service.add(
            session,
            _clinic(house, clinic_id),
            display_name=name,
            email=email,
            phone=phone,
            role=StaffRole(role),
            receives_pages=pages,
            password=password,
            now=house.clock.now(),
        )
        click.echo(f"{user.public_id} can sign in.")


@contextmanager
def _opened() -> Iterator[Runtime]:
    house = build_runtime()
    try:
        yield house
    finally:
        house.engine.dispose()


def _clinic(house: Runtime, public_id: str) -> UUID:
    with house.session() as session:
        found = clinics.id_of(session, public_id)
    if found is None:
        raise NotFound("There is no clinic with that id. `followup staff clinic` adds one and prints its id.")
    return found
