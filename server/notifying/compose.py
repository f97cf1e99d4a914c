"""Makes a message from the records, at the moment of sending: a new name of the site or a new number is in the message."""

from __future__ import annotations

from server import phones
from server.domain.model import Personal
from server.notifying.channels.channel import Message
from server.notifying.texts import text_for, title_for
from server.queries.messages import Subject
from server.store.notifications import Claimed
from server.vault import Vault


def compose(row: Claimed, subject: Subject, vault: Vault, public_url: str) -> Message | None:
    """Return the message of a row; None if the patient has no address for it. Raises `KeyError` for a kind without texts."""
    record = subject.visit or subject.appointment
    if record is None:
        return None
    personal = vault.open_personal(record)
    address = _address(personal, row.channel)
    if address is None:
        return None
    page, label = ("a", "") if subject.visit is None else ("t", subject.visit.label)
    link = f"{public_url}/{page}/{personal.token}"
    wanted = (record.language, subject.site_language)
    return Message(
        key=f"notification:{row.id}",
        to=address,
        language=record.language,
        subject=title_for(row.kind, wanted),
        text=text_for(row.kind, wanted, label, link),
        not_after=row.not_after,
        link=link,
    )


def _address(personal: Personal, way: str) -> str | None:
    if way == "email":
        return personal.email
    return phones.without_extension(personal.phone) if way == "sms" and personal.phone is not None else None
