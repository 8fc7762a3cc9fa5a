"""Take a STOP from a page: every channel ends, as if it had been texted."""

from sqlalchemy.orm import Session

from followup.core.vocabulary import Channel
from followup.services import consent
from followup.store.queries import consents, links
from web.house import current_house

from .page import Page


def stop(page: Page, *, by: str) -> Channel:
    """End every channel of the patient; return the one that the link came by."""
    house = current_house()
    with house.session() as session:
        channel, address = _road(session, page)
        people = links.sharers(session, page.organization_id, channel, address)
        own = links.person(session, page.organization_id, page.patient.id)
        consent.opt_out(
            session,
            page.organization_id,
            channel=channel,
            address=address,
            patients=[*(one for one in people if one.id != own.id), own],
            communication_id=None,
            knowledge=house.knowledge,
            now=house.clock.now(),
            by=by,
        )
    return channel


def is_stopped(page: Page) -> bool:
    """Tell whether there is nothing left to stop."""
    with current_house().session() as session:
        return not consents.current_consents(session, page.organization_id, page.patient.id)


def stopped_words(page: Page, channel: Channel) -> str:
    """Return the words that confirm a STOP."""
    return page.tell("email_optout_done" if channel is Channel.EMAIL else "auto_optout")


def carrier_of(session: Session, page: Page) -> Channel | None:
    """Return the channel of the text that brought the link; None where no text did."""
    if page.link.request_id is None:
        return None
    request = links.request_of_page(session, page.organization_id, page.link.request_id)
    return request.channel if request else None


def _road(session: Session, page: Page) -> tuple[Channel, str]:
    if page.link.request_id is not None:
        request = links.request_of_page(session, page.organization_id, page.link.request_id)
        if request is not None:
            return request.channel, request.address
    first = consents.contacts_of(session, page.organization_id, page.patient.id)[0]
    return first.system, first.value
