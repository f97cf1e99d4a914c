"""Rate limits of the API, counted in Redis for all processes together, or in this process.

A request counts for its verified credential. Only a request without one counts for its address: guests on the clinic's
Wi-Fi take nothing from reception or a display. An address with many refused requests is blocked for a while; requests with
a credential pass.

Pages, their files, health and metrics have no limit here: nginx counts pages, by the address or by a cookie. nginx cannot
verify cookies, so a page with a cookie that is not ours counts by its address here.

Live streams have caps of their own. The reports of screens beside their streams are counted like requests of the API, and
have few places at once.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisClusterStorage, RedisStorage
from limits.aio.storage.memory import Entry
from limits.aio.strategies import MovingWindowRateLimiter
from limits.util import WindowStats
from redis.asyncio import BlockingConnectionPool, RedisCluster
from redis.exceptions import RedisClusterException, RedisError
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.circuits import Circuit, Pace
from server.domain.errors import NowServingError
from server.live.redis_cluster import close_client, cluster_client, pool_of
from server.live.redis_urls import cluster_address
from server.transport.access.gate import PHONE_PATH, Gate, Voucher
from server.transport.access.places import Places
from server.transport.http import paths
from server.transport.http.errors import AddressBlocked, TooManyRequests, refusal
from server.transport.http.middleware import SAFE_METHODS

logger = structlog.get_logger(__name__)

CALL_SECONDS = 0.2
REST_SECONDS = 1.0  # the pause after a failed call to Redis
SWEEP_SECONDS = 60.0
CONNECTIONS = 32
KEY_PREFIX = "nowserving:limits"
_FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
T = TypeVar("T")
Seconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``amount`` in any ``minutes``. Each name has its own count."""

    name: str
    amount: int
    minutes: int = 1

    @property
    def item(self) -> RateLimitItem:
        """This limit for the ``limits`` library."""
        return RateLimitItemPerMinute(self.amount, self.minutes, namespace=self.name)


ANONYMOUS = Limit("anonymous", 60)
SIGN_IN = Limit("sign-in", 10)
PAIRING = Limit("pairing", 10)
CODE = Limit("code", 10)
STAFF = Limit("staff", 6_000, 60)
DEVICE = Limit("device", 6_000, 60)
TICKET = Limit("ticket", 60)
CHECK_IN = Limit("check-in", 5)
JOINING = Limit("joining", 600)  # a look at the page costs little, and a clinic has one address
JOIN_CODE = Limit("join-code", 120)
PHONE = Limit("phone", 60)
PAGES = Limit("pages", 1_000, 60)  # with cookies that are not ours
JOINED = Limit("joined", 100, 60)  # tickets
BOOKED = Limit("booked", 60, 60)  # appointments
BOOKED_BY_PHONE = Limit("booked-by-phone", 10, 60)
HELD = Limit("held", 120, 60)  # times that are kept while somebody types
SUBSCRIBED = Limit("subscribed", 20, 60)  # push subscriptions of one ticket or appointment
REPORTS = Limit("reports", 120)  # figures of long periods, and their exports
REFUSED = Limit("refused", 100, 10)
BLOCKED = Limit("blocked", 1, 15)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The limits of one installation. The settings change their amounts."""

    anonymous: Limit = ANONYMOUS
    sign_in: Limit = SIGN_IN
    pairing: Limit = PAIRING
    code: Limit = CODE
    staff: Limit = STAFF
    device: Limit = DEVICE
    ticket: Limit = TICKET
    check_in: Limit = CHECK_IN
    joining: Limit = JOINING
    join_code: Limit = JOIN_CODE
    phone: Limit = PHONE
    pages: Limit = PAGES
    joined: Limit = JOINED
    booked: Limit = BOOKED
    booked_by_phone: Limit = BOOKED_BY_PHONE
    held: Limit = HELD
    subscribed: Limit = SUBSCRIBED
    reports: Limit = REPORTS
    refused: Limit = REFUSED
    blocked: Limit = BLOCKED

    def of_kind(self, kind: str) -> Limit:
        """Return the limit of a kind of voucher."""
        by_kind = {
            "staff": self.staff,
            "session": self.staff,
            "key": self.staff,
            "device": self.device,
            "ticket": self.ticket,
            "appointment": self.ticket,
            "pairing": self.ticket,
            "browser": self.anonymous,
            "phone": self.phone,
        }
        return by_kind[kind]


_NO_PAGES = ("/api/", "/live/", "/static/", "/health", "/metrics")
# Routes that invite guessing, or cost much, have limits of their own: the names of fields above.
_BY_ROUTE = (
    ("POST", re.compile(rf"{paths.SESSION}(/password|/code|/second-factor(/[^/]*)?)?"), "sign_in"),
    ("POST", re.compile(rf"{paths.ACCOUNT_LINKS}/use"), "sign_in"),
    ("POST", re.compile(paths.SETUP), "code"),
    ("POST", re.compile(paths.PAIRINGS), "pairing"),
    ("POST", re.compile(rf"{paths.PAIRINGS}/[^/]*"), "code"),
    ("POST", re.compile(r"/api/v1/sites/[0-9]+/joining/pass"), "join_code"),
    ("POST", re.compile(r"/api/v1/kiosks/[^/]*/check-in"), "check_in"),
    ("GET", re.compile(r"/api/v1/(sites/[0-9]+/)?insights(\.zip|/.*)?"), "reports"),
)


@dataclass(frozen=True, slots=True)
class Count:
    """The state of a limit at ``now``: the remaining requests, and the instant of the next free one. Seconds since 1970."""

    limit: Limit
    allowed: bool
    remaining: int
    reset_at: float
    now: float

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next free request, at least one."""
        return max(1, math.ceil(self.reset_at - self.now))


class ProcessMemory(MemoryStorage):
    """The library's moving windows in memory, but swept once a minute, not in a thread at every hit.

    ``seconds`` returns the present time in seconds since 1970. The library itself would ask this machine's clock, and a
    window with times of the future refuses everything.
    """

    def __init__(self, seconds: Seconds) -> None:
        super().__init__()
        self._seconds = seconds
        self._sweep_at = seconds() + SWEEP_SECONDS

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Take ``amount`` places of a window, if it has so many left. Nothing is awaited, so the call is atomic."""
        now = self._seconds()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_SECONDS
            for old in [each for each, entries in self.events.items() if entries[0].expiry <= now]:
                del self.events[old]
        entries = self.events.setdefault(key, [])
        if amount > limit or (len(entries) > limit - amount and entries[limit - amount].atime >= now - expiry):
            return False
        entry = Entry(expiry)
        entry.atime, entry.expiry = now, now + expiry
        entries[:0] = [entry] * amount
        del entries[limit:]
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the begin of a window, and the number of its places that are taken."""
        now = self._seconds()
        entries = self.events.get(key, [])
        taken = bisect_right(entries, expiry - now, key=lambda each: -each.atime)
        return (entries[taken - 1].atime, taken) if taken else (now, 0)


class SharedMemory(RedisStorage):
    """The library's moving windows in Redis, by the time that ``seconds`` returns: that of all processes."""

    def __init__(self, url: str, seconds: Seconds, **options: Any) -> None:
        self._seconds = seconds
        super().__init__(url, implementation="redispy", key_prefix=KEY_PREFIX, **options)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Take ``amount`` places of a window, if it has so many left."""
        bridge: Any = self.bridge
        arguments = [self._seconds(), limit, expiry, amount]
        return bool(await bridge.lua_acquire_moving_window([bridge.prefixed_key(key)], arguments))

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the begin of a window, and the number of its places that are taken."""
        bridge: Any = self.bridge
        now = self._seconds()
        window = await bridge.lua_moving_window([bridge.prefixed_key(key)], [now - expiry, limit])
        return (float(window[0]), window[1]) if window else (now, 0)


class ClusterMemory(SharedMemory, RedisClusterStorage):
    """The same in a Redis Cluster. Each window is one key, so it is on one node."""

    def __init__(self, client: RedisCluster, seconds: Seconds) -> None:
        self._client = client
        super().__init__("redis+cluster://", seconds)

    def configure_bridge(self) -> None:
        """Use our client: the library's own knows neither all options of a URL nor our short waits."""
        bridge: Any = self.bridge
        bridge.storage = self._client
        bridge.connection_getter = lambda _: self._client


DEFAULTS = RequestLimits()


class Limiter:
    """Counts requests. While Redis is away, this process counts alone, without an error.

    ``redis_url`` may be None for a single process. ``seconds`` returns the present time in seconds since 1970. Call
    `close` when done.
    """

    def __init__(self, redis_url: str | None = None, limits: RequestLimits = DEFAULTS, seconds: Seconds = time.time) -> None:
        self.limits = limits
        self._seconds = seconds
        self._here = MovingWindowRateLimiter(ProcessMemory(seconds))
        self._pool: BlockingConnectionPool | None = None
        self._cluster: RedisCluster | None = None
        self._shared: MovingWindowRateLimiter | None = None
        # One request tries Redis for all; the others do not wait.
        self.circuit = Circuit(Pace(failures=1, lasting=0.0, pause=REST_SECONDS, longest=REST_SECONDS, trial=REST_SECONDS))
        if redis_url is not None and (address := cluster_address(redis_url)) is not None:
            # The client gives up before the caller does: only its own error makes it look for the node again.
            self._cluster = cluster_client(address, CALL_SECONDS / 2)
            self._shared = MovingWindowRateLimiter(ClusterMemory(self._cluster, seconds))
        elif redis_url is not None:
            self._pool = pool_of(redis_url, CALL_SECONDS, CONNECTIONS)
            options: dict[str, Any] = {"connection_pool": self._pool}
            self._shared = MovingWindowRateLimiter(SharedMemory(redis_url, seconds, **options))

    async def hit(self, limit: Limit, who: str) -> Count:
        """Count one request for ``who``, if the limit allows one more; return the state."""
        item = limit.item

        async def count(windows: MovingWindowRateLimiter) -> tuple[bool, WindowStats]:
            allowed = await windows.hit(item, who)
            return allowed, await windows.get_window_stats(item, who)

        allowed, stats = await self._ask(count)
        return Count(limit, allowed, max(0, stats.remaining), stats.reset_time, self._seconds())

    async def refuse_excess(self, limit: Limit, who: str, error: type[TooManyRequests]) -> None:
        """Count one request for ``who``. Raises ``error`` if the limit allows no more."""
        count = await self.hit(limit, who)
        if not count.allowed:
            raise error(retry_after=count.retry_after)

    async def look(self, limit: Limit, who: str) -> Count:
        """Return the state for ``who`` without counting; ``allowed`` says whether one more request fits."""
        stats = await self._ask(lambda windows: windows.get_window_stats(limit.item, who))
        return Count(limit, stats.remaining > 0, max(0, stats.remaining), stats.reset_time, self._seconds())

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._pool is not None:
            await self._pool.disconnect()
        if self._cluster is not None:
            await close_client(self._cluster)

    async def _ask(self, question: Callable[[MovingWindowRateLimiter], Awaitable[T]]) -> T:
        if self._shared is not None and self.circuit.admits(time.monotonic()):
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    answer = await question(self._shared)
            except _FAILURES as error:
                if self.circuit.opened_at is None:
                    logger.warning("limits are counted in this process: Redis is away", error=repr(error))
                self.circuit.failed(time.monotonic())
            else:
                if self.circuit.opened_at is not None:
                    logger.info("limits are counted in Redis again")
                self.circuit.succeeded()
                return answer
        return await question(self._here)


class RateLimits:
    """Counts each request of the API and each report of a screen, shows the count in the headers of the answer, and refuses
    excess ones with 429."""

    def __init__(self, app: ASGIApp, gate: Gate, limiter: Limiter) -> None:
        self._app = app
        self._gate = gate
        self._limiter = limiter
        self._limits = limiter.limits
        self._places = Places()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(_NO_PAGES):
            await self._page(scope, receive, send)
            return
        reports = scope["type"] == "http" and scope["path"].startswith("/live/") and scope["method"] not in SAFE_METHODS
        if not reports and (scope["type"] != "http" or not scope["path"].startswith("/api/")):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        status = 0
        count: Count | None = None

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if count is not None:
                    headers = MutableHeaders(scope=message)
                    headers["X-RateLimit-Limit"] = str(count.limit.amount)
                    headers["X-RateLimit-Remaining"] = str(count.remaining)
                    headers["X-RateLimit-Reset"] = str(math.ceil(count.reset_at))
            await send(message)

        address: str | None = None
        try:
            limit, who = self._limit_for(scope, await self._gate.voucher(connection))
            if who is None:
                who = address = self._gate.address_name(connection)
                blocked = await self._limiter.look(self._limits.blocked, address)
                if not blocked.allowed:
                    count = blocked
                    raise AddressBlocked(retry_after=blocked.retry_after)
            count = await self._limiter.hit(limit, who)
            if not count.allowed:
                raise TooManyRequests(retry_after=count.retry_after)
            if reports and not self._places.take(who):
                raise TooManyRequests(retry_after=1)
        except NowServingError as error:
            await refusal(connection, error)(scope, receive, sending)
            if address is not None and not isinstance(error, AddressBlocked):
                await self._refused(address)
            return
        try:
            await self._app(scope, receive, sending)
        finally:
            if reports:
                self._places.give_back(who)
        if address is not None and status in (401, 429):
            await self._refused(address)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a page. One with a credential that is not ours has escaped nginx's limit for its address."""
        connection = HTTPConnection(scope)
        if self._gate.claims_in_vain(connection):
            try:
                await self._limiter.refuse_excess(self._limits.pages, self._gate.address_name(connection), TooManyRequests)
            except TooManyRequests as error:
                await refusal(connection, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _limit_for(self, scope: Scope, voucher: Voucher | None) -> tuple[Limit, str | None]:
        """Return the limit of a request, and the credential that it counts for; None means its address."""
        for method, path, name in _BY_ROUTE:
            if scope["method"] == method and path.fullmatch(scope["path"]):
                # Everybody can take any number of tickets, and be any number of phones: neither gives more guesses.
                limit: Limit = getattr(self._limits, name)
                return limit, None if voucher is None or voucher.kind in ("ticket", "appointment", "phone") else voucher.name
        if voucher is None:
            if PHONE_PATH.fullmatch(scope["path"]):
                return self._limits.joining if scope["method"] in SAFE_METHODS else self._limits.join_code, None
            return self._limits.anonymous, None
        return self._limits.of_kind(voucher.kind), voucher.name

    async def _refused(self, address: str) -> None:
        """Count a refused request of an address; block the address after too many."""
        if not (await self._limiter.hit(self._limits.refused, address)).allowed:
            blocked = await self._limiter.hit(self._limits.blocked, address)
            if blocked.allowed:
                logger.warning("address blocked", minutes=self._limits.blocked.minutes)
