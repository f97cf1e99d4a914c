"""The parts that endpoints use. `server.app` builds them; the application's state holds them."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from server.audit import Audit
from server.execute import Executor
from server.identity.identity import Identity
from server.live.hub import Hub
from server.notifying.contacts import Contacts
from server.notifying.feedback import PatientFeedback
from server.notifying.own_texts import OwnTexts
from server.notifying.reach import Reach
from server.notifying.repeats import Repeats
from server.notifying.report_mails import ReportMails
from server.notifying.set_up import ChannelSetUp
from server.notifying.subscriptions import Subscriptions
from server.notifying.webhooks.set_up import WebhookSetUp
from server.practitioners import Practitioners
from server.provisioning import NewSites
from server.queries.boards import Boards
from server.queries.identity import Identities
from server.queries.past import Past
from server.queries.reader import Reader
from server.queries.statistics import PastDays
from server.queries.system import Watch
from server.transport.access.gate import Gate
from server.transport.access.limits import Limiter
from server.transport.http.assets import Assets
from server.transport.http.checks import DependencyChecks, Floods
from server.transport.http.figures import Figures
from server.transport.http.metrics import Metrics
from server.transport.poster import Posters
from server.transport.voice import Voice
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one process. ``public_url`` is the address of this installation for patients, if set.

    Without a ``limiter`` requests are not limited; without ``floods``, those for readiness are not.
    """

    database: Reader
    checks: DependencyChecks
    floods: Floods | None
    figures: Figures
    vault: Vault
    executor: Executor
    hub: Hub
    boards: Boards
    identities: Identities
    identity: Identity
    new_sites: NewSites
    practitioners: Practitioners
    channels: ChannelSetUp
    webhooks: WebhookSetUp
    subscriptions: Subscriptions
    repeats: Repeats
    own_texts: OwnTexts
    report_mails: ReportMails
    reach: Reach
    feedback: PatientFeedback
    contacts: Contacts
    gate: Gate
    audit: Audit
    metrics: Metrics
    assets: Assets
    voice: Voice
    public_url: str | None
    limiter: Limiter | None
    system: Watch
    posters: Posters
    past_days: PastDays
    past: Past

    @staticmethod
    def of(connection: HTTPConnection) -> Context:
        """Return the context that serves this request."""
        context: Context = connection.app.state.context
        return context
