"""What the house knows by heart is read once, and a broken table stops the start by name."""

import pytest

from followup.core.errors import ContentError
from followup.core.vocabulary import LinkPurpose
from followup.services import knowledge


def test_knowledge_is_read_once_and_whole():
    known = knowledge.load_knowledge()
    assert known is knowledge.load_knowledge()
    assert len(known.catalog) == 368
    assert known.links["checkin_link"] is LinkPurpose.CHECKIN
    assert "default" in known.protocols


def test_the_wording_version_is_the_review_of_the_consent_texts():
    known = knowledge.load_knowledge()
    review = known.catalog.reviews["en/consent.toml"]
    assert known.wording_version == f"{review.status}, reviewed {review.reviewed_on}"
    assert len(known.wording_version) <= 80, "the column's length"


def test_a_link_with_an_unknown_purpose_is_refused_by_file(monkeypatch):
    monkeypatch.setattr(knowledge, "load_toml", lambda *_: {"links": {"auto_help": "elsewhere"}})
    with pytest.raises(ContentError, match=r"links\.toml: 'elsewhere'"):
        knowledge._links()
