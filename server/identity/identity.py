"""The use cases of identity over one database, as one object for the endpoints."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.execute import Executor
from server.identity.access_tokens import AccessTokens
from server.identity.account_links import AccountLinks
from server.identity.api_keys import ApiKeys
from server.identity.booking import Bookings
from server.identity.calendar_feeds import CalendarFeeds
from server.identity.check_in import CheckIns
from server.identity.credentials import Credentials
from server.identity.first_run import FirstRun
from server.identity.hashing import Hashing
from server.identity.joining import Joining
from server.identity.lockout import Lockout
from server.identity.milestones import Milestones
from server.identity.pairing import Pairings
from server.identity.passwords import Passwords
from server.identity.pending_sign_ins import PendingSignIns
from server.identity.permissions import Permissions
from server.identity.second_factors import SecondFactors
from server.identity.sessions import Sessions
from server.identity.sign_in import SignIn
from server.identity.staff import StaffAccounts
from server.queries.boards import Boards
from server.queries.identity import Identities, SessionTerms
from server.store.database import Database
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class Identity:
    """Each use case of identity by its name."""

    credentials: Credentials
    permissions: Permissions
    first_run: FirstRun
    milestones: Milestones
    sign_in: SignIn
    sessions: Sessions
    passwords: Passwords
    second_factors: SecondFactors
    staff: StaffAccounts
    links: AccountLinks
    api_keys: ApiKeys
    pairings: Pairings
    joining: Joining
    booking: Bookings
    check_in: CheckIns
    calendar_feeds: CalendarFeeds


def build_identity(
    database: Database,
    identities: Identities,
    vault: Vault,
    executor: Executor,
    audit: Audit,
    secret_key: str,
    terms: SessionTerms,
) -> Identity:
    """Return the use cases of one process. ``secret_key`` signs the access tokens."""
    tokens = AccessTokens(secret_key, database.clock.seconds)
    lockout = Lockout(database, vault)
    hashing = Hashing()
    credentials = Credentials(database, identities, vault, tokens, terms)
    pending = PendingSignIns(secret_key, database.clock.seconds)
    sign_in = SignIn(database, identities, vault, audit, lockout, tokens, terms, hashing, pending)
    return Identity(
        credentials=credentials,
        permissions=Permissions(identities, audit),
        first_run=FirstRun(database, vault, audit, lockout, tokens, terms, hashing),
        milestones=Milestones(identities, executor),
        sign_in=sign_in,
        sessions=Sessions(database, identities, vault, audit, tokens, terms),
        passwords=Passwords(database, identities, vault, audit, lockout, hashing),
        second_factors=SecondFactors(database, identities, vault, audit, lockout, hashing),
        links=AccountLinks(database, vault, audit, hashing, sign_in),
        staff=StaffAccounts(database, vault, hashing, audit),
        api_keys=ApiKeys(database, vault, audit),
        pairings=Pairings(database, vault, identities, credentials, executor),
        joining=Joining(database, vault, executor, Boards(database)),
        booking=Bookings(database, vault, executor),
        check_in=CheckIns(database, vault, executor),
        calendar_feeds=CalendarFeeds(database, vault, audit),
    )
