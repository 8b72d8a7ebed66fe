"""The trouble that can be ordered from the simulator: a method for each kind."""

from __future__ import annotations

import json as json_
from typing import TYPE_CHECKING, TypedDict

from tap_orgvue.simulator.messages import JSON
from tap_orgvue.simulator.refusals import RefusalError
from tap_orgvue.simulator.trouble import (
    After,
    Amend,
    Before,
    Drip,
    HangUp,
    JobPlan,
    Lie,
    Order,
    Pause,
    Refuse,
    Reply,
    Reshape,
    Trouble,
    Troubles,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from typing_extensions import Unpack

    from tap_orgvue.simulator.refusals import Error, Reason
    from tap_orgvue.simulator.tenant import Tenant


class Whom(TypedDict, total=False):
    """Which requests trouble meets; all of the API without any of these.

    Attributes:
        on: A route, a kind or a part of requests, or several: see `ROUTES`, `KINDS` and `PARTS`.
        dataset: Only requests that name this dataset; a name or an id.
        draft: Only requests that name this draft; likewise.
        times: How many requests are met: 1, or without end with `None`.
        skip: How many requests that fit are spared before.
        share: The share of the requests that fit which is met, by dice.
    """

    on: str | Collection[str] | None
    dataset: str | None
    draft: str | None
    times: int | None
    skip: int
    share: float


class Orders:
    """Takes orders for trouble, at any time and from any thread.

    Of several orders that fit a request the first is taken, so they come true one after another.
    One of each is taken besides: a pause, a drip, a change before and one after; and all that is
    to be altered in its response.
    """

    tenant: Tenant
    _troubles: Troubles

    def refuse(
        self,
        reason: Reason,
        *,
        retry_after: str | float | None = None,
        as_ticket: bool = False,
        **whom: Unpack[Whom],
    ) -> None:
        """Refuse with a code of Orgvue, an error of your own, or a bare HTTP status.

        Args:
            reason: The code, error or status.
            retry_after: The `Retry-After` told.
            as_ticket: Whether the body is a job ticket in the failed state, with the error.
            **whom: See `Whom`.
        """
        self._order(Refuse(reason, retry_after, as_ticket), whom)

    def answer(
        self,
        *,
        status: int = 200,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        json: object = ...,
        **whom: Unpack[Whom],
    ) -> None:
        """Respond with these bytes, or with a JSON document.

        Args:
            status: The HTTP status.
            body: The bytes; as `text/html` unless the headers say another type.
            headers: Headers besides.
            json: A document, sent as JSON instead of the bytes.
            **whom: See `Whom`.
        """
        if json is not ...:
            body, headers = json_.dumps(json).encode(), {"Content-Type": JSON, **(headers or {})}
        self._order(Reply(status, body, headers or {}), whom)

    def amend(
        self,
        *,
        put: Mapping[str, object] | None = None,
        remove: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        entry: str | int | None = None,
        to: object = ...,
        **whom: Unpack[Whom],
    ) -> None:
        """Alter a successful response: members of its JSON document, HTTP headers.

        Args:
            put: Members set.
            remove: Members removed, before.
            headers: HTTP headers set.
            entry: The entry of a list to alter instead of the whole: a name, an id, an index.
            to: What stands in place of the whole, or of the entry.
            **whom: See `Whom`.
        """
        self._order(Amend(put or {}, remove, headers or {}, entry, to), whom)

    def add_errors(self, *reasons: Error, **whom: Unpack[Whom]) -> None:
        """Put `errors` beside what a successful response holds; `500601` without a reason.

        A completed job's ticket gets them with `plan_job("completed", errors=…)`.
        """
        self._order(Amend(put={"errors": _entries(reasons or ("500601",))}), whom)

    def reshape(  # noqa: PLR0913  # what can be altered, each by its name
        self,
        *,
        drop: Collection[str] = (),
        add: Mapping[str, object] | None = None,
        rename: Mapping[str, str] | None = None,
        retype: Mapping[str, str] | None = None,
        first: Sequence[str] = (),
        keyless: Collection[str] = (),
        **whom: Unpack[Whom],
    ) -> None:
        """Alter the columns of a successful jsonRows response, also of a job's result.

        Args:
            drop: Keys of columns removed.
            add: Key of a column added -> its value in every row.
            rename: Key -> another key.
            retype: Key -> another declared type.
            first: Keys of the columns that come first, in this order.
            keyless: Keys of columns whose header has no `key`.
            **whom: See `Whom`; `on="page"` are the pages after the first.
        """
        self._order(Reshape(drop, add or {}, rename or {}, retype or {}, first, keyless), whom)

    def hang_up(
        self,
        *,
        after: int = 0,
        reset: bool = False,
        behind: str | None = None,
        place: int = 0,
        tells_length: bool = True,
        **whom: Unpack[Whom],
    ) -> None:
        """Break the connection.

        Args:
            after: Bytes of the (encoded) body sent before; 0 is before the status line; negative
                so many bytes before the end.
            reset: Reset the connection rather than close it.
            behind: Cut the body, sent without compression, right behind this text instead.
            place: Which occurrence of the text: 0 the first, -1 the last.
            tells_length: Whether `Content-Length` is told; without it the cut looks like the end.
            **whom: See `Whom`.
        """
        self._order(HangUp(after, reset, behind, place, tells_length), whom)

    def lie_about_length(self, *, by: int = 10, **whom: Unpack[Whom]) -> None:
        """Tell a Content-Length that many bytes off, and close the connection afterwards."""
        self._order(Lie(by), whom)

    def pause(self, *, seconds: float = 1.0, **whom: Unpack[Whom]) -> None:
        """Wait before responding."""
        self._order(Pause(seconds), whom)

    def drip(
        self,
        *,
        seconds: float = 0.05,
        after: int = 0,
        head: bool = False,
        **whom: Unpack[Whom],
    ) -> None:
        """Send any response byte by byte, then white space, until the simulator stops.

        Args:
            seconds: Between two bytes.
            after: Bytes of the (encoded) body sent at once before.
            head: Whether the headers never end, rather than the body.
            **whom: See `Whom`.
        """
        self._order(Drip(seconds, after, head), whom)

    def stall(self, *, after: int = 0, **whom: Unpack[Whom]) -> None:
        """Send the headers and so many bytes of the body, then nothing more."""
        self._order(Drip(None, after), whom)

    def meanwhile(
        self, change: Callable[[], object], *, after: bool = False, **whom: Unpack[Whom]
    ) -> None:
        """Change something while a request is under way.

        Args:
            change: Called in the server's thread.
            after: Whether it is called after the response is made and before it is sent, rather
                than before it is made.
            **whom: See `Whom`.
        """
        self._order(After(change) if after else Before(change), whom)

    def plan_job(
        self, *statuses: str, errors: str | Sequence[Error] = (), **whom: Unpack[Whom]
    ) -> None:
        """Plan what the next job tells, of an export or of a draft's actions.

        Args:
            *statuses: The status at each poll; the last one repeats: `plan_job("running")` is a
                job that never ends.
            errors: Told with the last status, `completed` or `failed`: a code, or several errors.
            **whom: See `Whom`.
        """
        several = [errors] if isinstance(errors, str) else errors
        self._order(JobPlan(statuses or ("completed",), _entries(several)), whom)

    def chance(
        self,
        *,
        refuse: float = 0.0,
        hang_up: float = 0.0,
        slow: float = 0.0,
        seconds: float = 1.0,
        seed: int = 0,
    ) -> None:
        """Refuse a share of all requests, hang up on some, respond to some so many seconds late.

        The API refuses with 42901, the file store with 503; connections are closed or reset
        somewhere. All by dice, for each request anew.
        """
        self._troubles.chance(refuse, hang_up, (slow, seconds), seed)

    def calm(self) -> None:
        """Forget all trouble that was ordered."""
        self._troubles.clear()

    def _order(self, trouble: Trouble, whom: Whom) -> None:
        on, dataset, draft = whom.get("on"), whom.get("dataset"), whom.get("draft")
        self._troubles.order(
            Order(
                trouble,
                on={on} if isinstance(on, str) else on,
                dataset_id=None if dataset is None else self.tenant.dataset(dataset).dataset_id,
                draft_id=None if draft is None else self.tenant.draft(draft).draft_id,
                times=whom.get("times", 1),
                skip=whom.get("skip", 0),
                share=whom.get("share", 1.0),
            )
        )


def _entries(reasons: Sequence[Error]) -> list[Mapping[str, object]]:
    return [RefusalError(reason).error for reason in reasons]
