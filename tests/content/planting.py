"""Plant one change in the shipped content, and find the clinical drafts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from followup.core.vocabulary import Language
from followup.messages.catalog import Catalog

#: The drafts lie beside the checkout where the project is built, and nowhere else.
DRAFTS = Path(__file__).resolve().parents[3] / "shared" / "clinical"
needs_drafts = pytest.mark.skipif(not DRAFTS.is_dir(), reason="the clinical drafts do not lie beside us")


def with_words(catalog: Catalog, key: str, language: Language = Language.EN, /, **changes: Any) -> Catalog:
    """Return the catalogue with one message changed; `text` and `subject` change one language."""
    old = catalog.get(key)
    if "text" in changes:
        changes["texts"] = {**old.texts, language: changes.pop("text")}
    if "subject" in changes:
        changes["subjects"] = {**old.subjects, language: changes.pop("subject")}
    return replace(catalog, messages={**catalog.messages, key: replace(old, **changes)})


def without(catalog: Catalog, *keys: str) -> Catalog:
    """Return the catalogue without some messages."""
    return replace(catalog, messages={key: one for key, one in catalog.messages.items() if key not in keys})
