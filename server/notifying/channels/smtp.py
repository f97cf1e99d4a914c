"""E-mail through a mail server (SMTP), with STARTTLS, with TLS from the start, or bare inside a trusted network."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate
from typing import Literal

import aiosmtplib

from server.notifying.channels.channel import (
    TIME_LIMIT_SECONDS,
    Accepted,
    ChannelBusy,
    ChannelRefused,
    ChannelUnreachable,
    Message,
    Reaches,
)
from server.notifying.channels.message_names import name_of

Security = Literal["starttls", "tls", "none"]
# The longest line that a mail may have. With a shorter one, Python encodes a long address in a header, and breaks it.
_POLICY = SMTP.clone(max_line_length=998)
_METHOD = re.compile(rb"^METHOD:([A-Z]+)\r?$", re.MULTILINE)


class SmtpChannel:
    """Sends each mail on a connection of its own.

    ``sender`` is the address of the clinic and ``sender_name`` its name. ``secret`` belongs to the channel: each mail gets
    a Message-ID from it and the message's key, so a repeated mail is recognisable. ``tls`` replaces the system's trust.
    """

    name = "smtp"
    reaches: Reaches = "email"
    honours_key = False  # a mail server accepts the same Message-ID as often as it comes

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: Security,
        sender: str,
        sender_name: str,
        secret: str,
        username: str = "",
        password: str = "",
        limit_seconds: float = TIME_LIMIT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._security = security
        self._sender = sender
        self._sender_name = sender_name
        self._secret = secret
        self._username = username
        self._password = password
        self._limit_seconds = limit_seconds
        self._tls = tls

    def receipt_name(self, key: str) -> None:
        """There are no receipts."""

    def circuit(self, to: str) -> None:
        """There is one service."""

    async def send(self, message: Message) -> Accepted:
        """Send a mail; return its Message-ID when the server has accepted the mail.

        Raises `ChannelRefused` with the part that the server refused: ``credentials``, ``sender``, ``address`` or
        ``content``. An answer that is lost after the whole mail went out is an error of the library.
        """
        mail = self._mail(message)
        server = self._server()
        offered = False
        try:
            async with asyncio.timeout(self._limit_seconds):
                await self._open(server)
                await server.mail(self._sender)
                await server.rcpt(message.to)
                offered = True
                await server.data(mail.as_bytes(policy=_POLICY))
                with suppress(aiosmtplib.SMTPException):  # the mail is accepted, however the server takes leave
                    await asyncio.wait_for(server.quit(), 1)
        except aiosmtplib.SMTPResponseException as error:
            raise _answered(error) from None
        except (aiosmtplib.SMTPException, OSError) as error:  # TimeoutError and ssl.SSLError are OSErrors
            if offered:
                raise
            raise ChannelUnreachable(_why_unreachable(error)) from None
        finally:
            server.close()
        return Accepted(mail["Message-ID"])

    async def close(self) -> None:
        """Do nothing: no connection outlives its mail."""

    def _server(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._security == "tls",
            start_tls=False,
            local_hostname=self._domain(),  # not the name of this machine, which is nobody's business
            tls_context=self._tls,
            timeout=self._limit_seconds,
        )

    async def _open(self, server: aiosmtplib.SMTP) -> None:
        """Connect, encrypt the connection, and sign in. No password goes to a server that offers no encryption."""
        await server.connect()
        await server.ehlo()
        if self._security == "starttls":
            if not server.supports_extension("starttls"):
                raise ChannelUnreachable("no-encryption")
            await server.starttls()
            await server.ehlo()
        if self._username:
            if not server.supports_extension("auth"):
                raise ChannelRefused("credentials")
            await server.login(self._username, self._password)

    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _mail(self, message: Message) -> EmailMessage:
        if not message.to.isascii():
            raise ChannelRefused("address", asked=False)  # few servers accept such an address, and none has to
        mail = EmailMessage()
        try:
            mail["From"] = formataddr((self._sender_name, self._sender))
            mail["To"] = message.to
            mail["Subject"] = " ".join(message.subject.split())
        except (ValueError, MessageError):
            raise ChannelRefused("invalid", asked=False) from None
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{name_of(self._secret, message.key)}@{self._domain()}>"
        mail["Auto-Submitted"] = "auto-generated"  # no automatic replies
        if message.unsubscribe is not None:
            mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
            if message.unsubscribe.startswith("https://"):  # RFC 8058: one click needs an encrypted address
                mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(message.text)
        mail["Content-Language"] = message.language  # after the content, which replaces such headers
        if message.calendar is not None:
            method = _METHOD.search(message.calendar)
            mail.add_attachment(
                message.calendar,
                maintype="text",
                subtype="calendar",
                filename="appointment.ics",
                params={"charset": "utf-8"} | ({"method": method[1].decode()} if method else {}),
            )
        if message.attachment is not None:
            file = message.attachment
            mail.add_attachment(file.content, maintype=file.kind, subtype=file.form, filename=file.name)
        return mail


def _answered(error: aiosmtplib.SMTPResponseException) -> Exception:
    """Return what a refusing answer of the server means. No answer after the mail's end is a refusal."""
    if error.code < 500:
        return ChannelBusy()
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            return ChannelRefused("credentials")
        case aiosmtplib.SMTPSenderRefused():
            return ChannelRefused("sender")
        case aiosmtplib.SMTPRecipientRefused():
            return ChannelRefused("address")
        case aiosmtplib.SMTPDataError():
            return ChannelRefused("content")
    return ChannelRefused("forbidden")


def _why_unreachable(error: Exception) -> str:
    causes = (error, error.__cause__, error.__context__)
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
        return "certificate"
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return "no-encryption"
    return "no-connection"
