"""A small Orgvue over real HTTP: two origins, one tenant, everything that was asked remembered."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from tap_orgvue.simulator.api import Api
from tap_orgvue.simulator.behaviour import Behaviour
from tap_orgvue.simulator.instants import instant
from tap_orgvue.simulator.jobs import FileStore
from tap_orgvue.simulator.ledger import Ledger, most_at_once
from tap_orgvue.simulator.messages import KINDS
from tap_orgvue.simulator.orders import Orders
from tap_orgvue.simulator.server import Origin, Shared
from tap_orgvue.simulator.tenant import Tenant
from tap_orgvue.simulator.trouble import Troubles

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

    from tap_orgvue.simulator.dataset import Dataset
    from tap_orgvue.simulator.drafts import Draft
    from tap_orgvue.simulator.messages import Request


class Orgvue(Behaviour, Orders):
    """A tenant of Orgvue on the loopback address.

    Serves from `start` to `stop`, or within a `with` block. Its settings are those of
    `Behaviour`, its trouble is ordered through the methods of `Orders`, both at any time and from
    any thread.
    """

    def __init__(
        self,
        tenant: Tenant | Sequence[Dataset] = (),
        *,
        port: int = 0,
        files_port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take a tenant, or the datasets of one; ports of 0 are found when it starts.

        With `tls`, a server's context, both origins speak https and call themselves `localhost`.
        """
        super().__init__()
        self.tenant = tenant if isinstance(tenant, Tenant) else Tenant(tenant)
        self._ports = port, files_port
        self._tls = tls
        self._ledger = Ledger(self)
        self._troubles = Troubles()
        self._origins: list[Origin] = []
        self._files: FileStore | None = None

    def start(self) -> None:
        """Serve.

        Raises:
            OSError: A port is taken.
            OverflowError: A port is above 65535.
        """
        files = self._files = FileStore(self)
        api = Api(self.tenant, self, files, self._troubles)
        shared = Shared(self, self._ledger, self._troubles, api.trace_id)
        self._origins.append(Origin(api, self._ports[0], shared, self._tls))
        try:
            self._origins.append(Origin(files, self._ports[1], shared, self._tls))
        except (OSError, OverflowError):
            self._origins.pop().server_close()
            raise
        self.api_url, self.files_url = (origin.url for origin in self._origins)
        for origin in self._origins:
            origin.open()

    def stop(self) -> None:
        """Stop serving; harmless when it does not."""
        while self._origins:
            self._origins.pop().close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def tenant_id(self) -> str:
        """The tenant's id."""
        return self.tenant.tenant_id

    @property
    def token(self) -> str:
        """The token that opens the tenant."""
        return self.tenant.token

    @property
    def config(self) -> dict[str, object]:
        """The settings a tap needs: `api_url`, `tenant_id`, `api_token`."""
        return {"api_url": self.api_url, "tenant_id": self.tenant_id, "api_token": self.token}

    def dataset(self, name_or_id: str) -> Dataset:
        """Find a dataset; KeyError when there is none."""
        return self.tenant.dataset(name_or_id)

    def draft(self, name_or_id: str) -> Draft:
        """Find a draft; KeyError when there is none."""
        return self.tenant.draft(name_or_id)

    def now(self, seconds: float = 0.0) -> str:
        """The instant that `Date` tells, as `_modifiedAt` would; so many seconds later."""
        ahead = self.date_header if isinstance(self.date_header, float | int) else 0.0
        return instant(datetime.now(timezone.utc) + timedelta(seconds=ahead + seconds))

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in order of arrival, those to the file store included."""
        return self._ledger.requests

    def requests_to(self, route: str) -> list[Request]:
        """The requests to one route."""
        return [request for request in self.requests if request.route == route]

    def requests_of(self, *kinds: str, since: int = 0) -> list[Request]:
        """The requests of these kinds, see `KINDS`, leaving out the first so many of all."""
        return [request for request in self.requests[since:] if request.kind in kinds]

    def counts(self, since: int = 0) -> Counter[str]:
        """The number of requests by kind, leaving out the first so many of all."""
        return Counter(request.kind for request in self.requests[since:])

    def most_at_once_of(self, *kinds: str) -> int:
        """The most requests of these kinds that were under way at once; of all without any."""
        return most_at_once(self.requests_of(*(kinds or KINDS)))

    @property
    def most_at_once(self) -> int:
        """The most requests to the API that were under way at once."""
        return self._ledger.most_at_once

    @property
    def most_in_a_second(self) -> int:
        """The most requests to the API that arrived within any second."""
        return self._ledger.most_in_a_second

    @property
    def faults(self) -> dict[str, int]:
        """How much trouble requests met so far, by its kind: jobs that were failed included."""
        return {**self._troubles.met, "failed jobs": self._files.failed if self._files else 0}
