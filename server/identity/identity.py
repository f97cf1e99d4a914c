"""The use cases of identity over one database, as one object for the endpoints."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.execute import Executor
from server.identity.access_tokens import AccessTokens
from server.identity.api_keys import ApiKeys
from server.identity.credentials import Credentials
from server.identity.hashing import Hashing
from server.identity.lockout import Lockout
from server.identity.pairing import Pairings
from server.identity.passwords import Passwords
from server.identity.permissions import Permissions
from server.identity.sessions import Sessions
from server.identity.sign_in import SignIn
from server.identity.staff import StaffAccounts
from server.queries.identity import Identities, SessionTerms
from server.store.database import Database
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class Identity:
    """Each use case of identity by its name."""

    credentials: Credentials
    permissions: Permissions
    sign_in: SignIn
    sessions: Sessions
    passwords: Passwords
    staff: StaffAccounts
    api_keys: ApiKeys
    pairings: Pairings


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
    return Identity(
        credentials=credentials,
        permissions=Permissions(identities, audit),
        sign_in=SignIn(database, identities, vault, audit, lockout, tokens, terms, hashing),
        sessions=Sessions(database, identities, vault, audit, tokens, terms),
        passwords=Passwords(database, identities, vault, audit, lockout, hashing),
        staff=StaffAccounts(database, vault, hashing, audit),
        api_keys=ApiKeys(database, vault, audit),
        pairings=Pairings(database, vault, identities, credentials, executor),
    )
