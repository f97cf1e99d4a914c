"""The first run: the first administrator of an installation proves by a one-time code that the server is theirs.

Set-up is open as long as the installation has no administrator. Only the operator sees the code: the terminal of the server
shows it. See ``docs/decisions/0019-the-first-run.md``.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from server.audit import NOBODY, OPERATOR, Audit
from server.domain.errors import NameTaken, NowServingError, Unavailable
from server.identity.access_tokens import AccessTokens
from server.identity.browsers import used_by
from server.identity.errors import SetupClosed, SetupCodeEnded, SetupCodeMissing, SetupCodeWrong
from server.identity.hashing import Hashing
from server.identity.lockout import Lockout, Origin
from server.identity.new_passwords import check_new_password
from server.identity.readable_codes import in_halves, new_code, plain_code
from server.identity.sessions import issued, open_session
from server.identity.sign_in import SignedIn
from server.identity.staff import add_account
from server.identity.usernames import new_username
from server.queries.identity import SessionTerms, StaffMember
from server.store import setup_codes, sites
from server.store.database import Conflict, Database
from server.vault import Vault

CODE_LENGTH = 8
CODE_MINUTES = setup_codes.LIFE_MICROSECONDS // 60_000_000
ATTEMPTS = 3


async def new_setup_code(database: Database, vault: Vault, audit: Audit | None = None) -> str:
    """Make a new set-up code, which ends the code before it, and return it as people read it.

    Raises `SetupClosed` if there is an administrator, and `Unavailable`.
    """
    code = new_code(CODE_LENGTH)
    for _ in range(ATTEMPTS):
        now = await database.now()
        try:
            async with database.write() as connection:
                await setup_codes.lock(connection)
                if await setup_codes.has_admin(connection):
                    raise SetupClosed()
                await setup_codes.replace(connection, _hash(vault, code), now)
        except Conflict:
            continue  # another process stores its code at this moment: replace it
        if audit is not None:
            audit.note("new-setup-code", OPERATOR)
        return in_halves(code)
    raise Unavailable()


@dataclass(slots=True)
class FirstRun:
    """Creates the first administrator of one database."""

    _database: Database
    _vault: Vault
    _audit: Audit
    _lockout: Lockout
    _tokens: AccessTokens
    _terms: SessionTerms
    _hashing: Hashing
    _closed: bool = False  # once there is an administrator, there always is one

    async def is_open(self) -> bool:
        """Return whether the installation has no administrator yet. Asks nothing more once it has one.

        Raises `Unavailable`.
        """
        if not self._closed:
            self._closed = await self._database.look_up(setup_codes.ANY_ADMIN) is not None
        return not self._closed

    async def create_admin(self, code: str | None, username: str, password: str, origin: Origin) -> SignedIn:
        """Create the first administrator, and sign them in. The code ends.

        The administrator joins the organisation that the operator made. Without one, a new organisation gets the name of its
        first site. Raises `SetupClosed`, `SetupCodeMissing`, `SetupCodeWrong`, `SetupCodeEnded`, `SignInBusy`, and the
        refusals of `new_username` and `check_new_password`. Without the right code, no password is hashed.
        """
        try:
            await self._check(code)
            name = new_username(username)
            await check_new_password(password, name)
            password_hash = await self._hashing.hashed(password)
            signed_in = await self._create(_hash(self._vault, code or ""), name, password_hash, origin)
        except NowServingError as error:
            self._audit.note("set-up", NOBODY, allowed=False, detail=error.code)
            raise
        self._closed = True
        member = signed_in.tokens.member
        actor = f"staff:{member.id}"
        self._audit.note("set-up", actor, subject=actor, organisation_id=member.organisation_id)
        return signed_in

    async def _check(self, code: str | None) -> None:
        """Raise unless ``code`` is the present code. A wrong code costs one try."""
        now = await self._database.now()
        wrong: NowServingError
        async with self._database.write() as connection:
            kept = await setup_codes.lock(connection)
            await self._refuse_closed_or_ended(kept, now, await setup_codes.has_admin(connection), code)
            assert kept is not None
            if hmac.compare_digest(kept.code_hash, _hash(self._vault, code or "")):
                return
            await setup_codes.count_wrong_try(connection)
            left = setup_codes.TRIES - kept.wrong_tries - 1
            wrong = SetupCodeWrong(left=left) if left else SetupCodeEnded()
        raise wrong

    async def _refuse_closed_or_ended(
        self, kept: setup_codes.SetupCode | None, now: int, has_admin: bool, code: str | None
    ) -> None:
        if has_admin:
            self._closed = True
            raise SetupClosed()
        if not code:
            raise SetupCodeMissing()
        if kept is None or not kept.lives(now):
            raise SetupCodeEnded()

    async def _create(self, code_hash: str, username: str, password_hash: str, origin: Origin) -> SignedIn:
        """Create the account and its session, if set-up is still open and the code still valid."""
        now = await self._database.now()
        try:
            async with self._database.write() as connection:
                # The lock on the code: of two requests with the right code, only one finds set-up open.
                kept = await setup_codes.lock(connection)
                await self._refuse_closed_or_ended(kept, now, await setup_codes.has_admin(connection), code_hash)
                if kept is None or kept.code_hash != code_hash:
                    raise SetupCodeEnded()
                organisation_id = await sites.first_organisation(connection) or await sites.unnamed(connection)
                staff_id = await add_account(connection, self._vault, organisation_id, username, password_hash, "admin")
                refresh_token = await open_session(connection, self._vault, staff_id, origin.device, now)
        except Conflict:  # the operator took the user name at this moment
            raise NameTaken(name=username) from None
        member = StaffMember(staff_id, organisation_id, username, password_hash, "admin")
        tokens = issued(self._tokens, self._terms, member, refresh_token, now, now)
        user = self._lockout.sign_in(username, staff_id, origin).user
        return SignedIn(tokens, used_by(origin.browser, user))


def _hash(vault: Vault, code: str) -> str:
    """Return the keyed hash of a code, in any spelling that `plain_code` accepts."""
    return vault.keyed_hash(f"setup:{plain_code(code)}")
