"""A small Orgvue over real HTTP: two origins, one tenant, everything that was asked remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.simulator.api import Api
from tap_orgvue.simulator.behaviour import Behaviour
from tap_orgvue.simulator.jobs import FileStore
from tap_orgvue.simulator.ledger import Ledger
from tap_orgvue.simulator.server import Origin, Shared
from tap_orgvue.simulator.tenant import Dataset, Tenant
from tap_orgvue.simulator.trouble import HangUp, Lie, Pause, Refuse, Reply, Trouble, Troubles

if TYPE_CHECKING:
    import ssl
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from tap_orgvue.simulator.messages import Request
    from tap_orgvue.simulator.refusals import Reason

    Routes = str | Collection[str] | None


class Orgvue(Behaviour):
    """A tenant of Orgvue on the loopback address.

    Serves from `start` to `stop`, or within a `with` block. Its settings are those of
    `Behaviour`, its trouble is ordered through the methods below, both at any time and from any
    thread. For trouble, `on` is a route (`list`, `metadata`, `export`, `job`, `items`, `ticket`,
    `result`), several, or every route of the API with `None`; `dataset` a name or an id; `times`
    how many requests it meets, `None` for all. Of several orders that fit a request the first
    is taken, so they come true one after another; pauses are taken besides.
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
        api = Api(self.tenant, self, files)
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

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in order of arrival, those to the file store included."""
        return self._ledger.requests

    def requests_to(self, route: str) -> list[Request]:
        """The requests to one route."""
        return [request for request in self.requests if request.route == route]

    @property
    def most_at_once(self) -> int:
        """The most requests to the API that were under way at once."""
        return self._ledger.most_at_once

    @property
    def most_in_a_second(self) -> int:
        """The most requests to the API that arrived within any second."""
        return self._ledger.most_in_a_second

    def refuse(
        self,
        reason: Reason,
        *,
        times: int | None = 1,
        on: Routes = None,
        dataset: str | None = None,
        retry_after: str | float | None = None,
    ) -> None:
        """Refuse with a code of Orgvue, an error of your own, or a bare HTTP status."""
        self._order(Refuse(reason, retry_after), on, dataset, times)

    def answer(  # noqa: PLR0913  # an answer's three parts, and whom it meets
        self,
        *,
        on: Routes = None,
        status: int = 200,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        dataset: str | None = None,
    ) -> None:
        """Answer with these bytes; as `text/html` unless the headers say another type."""
        self._order(Reply(status, body, headers or {}), on, dataset, times)

    def hang_up(
        self,
        *,
        on: Routes = None,
        after: int = 0,
        times: int | None = 1,
        dataset: str | None = None,
        reset: bool = False,
    ) -> None:
        """Break the connection after so many bytes of the (encoded) body.

        Args:
            on: See the class.
            after: 0 is before the status line; negative so many bytes before the end.
            times: See the class.
            dataset: See the class.
            reset: Reset the connection rather than close it.
        """
        self._order(HangUp(after, reset), on, dataset, times)

    def lie_about_length(
        self,
        *,
        on: Routes = None,
        by: int = 10,
        times: int | None = 1,
        dataset: str | None = None,
    ) -> None:
        """Tell a Content-Length that many bytes off, and close the connection afterwards."""
        self._order(Lie(by), on, dataset, times)

    def pause(
        self,
        *,
        on: Routes = None,
        seconds: float = 1.0,
        times: int | None = 1,
        dataset: str | None = None,
    ) -> None:
        """Wait before answering."""
        self._order(Pause(seconds), on, dataset, times)

    def chance(
        self,
        *,
        refuse: float = 0.0,
        hang_up: float = 0.0,
        slow: float = 0.0,
        seconds: float = 1.0,
        seed: int = 0,
    ) -> None:
        """Refuse a share of all requests, hang up on some, answer some so many seconds late.

        The API refuses with 42901, the file store with 503; connections are closed or reset
        somewhere. All by dice, for each request anew.
        """
        self._troubles.chance(refuse, hang_up, (slow, seconds), seed)

    @property
    def faults(self) -> dict[str, int]:
        """How much trouble requests met so far, by its kind: jobs that were failed included."""
        return {**self._troubles.met, "failed jobs": self._files.failed if self._files else 0}

    def calm(self) -> None:
        """Forget all trouble that was ordered."""
        self._troubles.clear()

    def _order(self, trouble: Trouble, on: Routes, dataset: str | None, times: int | None) -> None:
        dataset_id = None if dataset is None else self.dataset(dataset).dataset_id
        self._troubles.order(trouble, on, dataset_id, times)
