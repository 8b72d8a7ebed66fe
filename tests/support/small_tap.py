"""A tap of two small streams that requests nothing, for tests of `tap_orgvue/singer` alone."""

from __future__ import annotations

import contextlib
import io
import signal
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_orgvue.singer.batch_stream import BatchStream
from tap_orgvue.singer.isolating_tap import IsolatingTap
from tap_orgvue.singer.output import BufferedWriter
from tests.support.runs import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from singer_sdk.helpers.types import Context, Record


def letters(*these: str) -> list[Record]:
    """Records of letters."""
    return [
        {"letter": letter, "number": ord(letter) - ord("a") + 1, "changed": None}
        for letter in these
    ]


class SmallStream(BatchStream):
    """Letters with the number that each has in the alphabet.

    Attributes:
        pages: The records of each page.
        happen: Called behind the last record.
    """

    url_base = "http://localhost:1"
    path = "/"
    primary_keys = ("letter",)
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {
            "letter": {"type": ["string", "null"]},
            "number": {"type": ["integer", "null"]},
            "changed": {"type": ["string", "null"], "format": "date-time"},
        },
    }
    pages: Sequence[Sequence[Record]] = (letters("a"), letters("b"), letters("c"))
    happen: Callable[[], object] = staticmethod(lambda: None)

    @override
    def request_records(self, context: Context | None) -> Iterable[Record]:
        """Yield each page as the tap's streams do: a block of rows, or its records."""
        for page in self.pages:
            self.start_page()
            if self.yields_row_blocks:
                changed = [row["changed"] for row in page if row.get("changed")]
                self.note_replication_values(changed, len(page))
                yield list(page)  # type: ignore[misc]
            else:
                yield from map(dict, page)
        self.happen()


class First(SmallStream):
    """The first stream."""

    name = "first"


class Second(SmallStream):
    """The second stream."""

    name = "second"


class SmallTap(IsolatingTap):
    """The tap."""

    name = "tap-small"
    config_jsonschema: ClassVar[dict[str, Any]] = {"type": "object", "properties": {}}
    message_writer_class = BufferedWriter
    run_ending = (LookupError,)

    @override
    def discover_streams(self) -> list[SmallStream]:
        """Make both streams."""
        return [First(self), Second(self)]

    @property
    def first(self) -> SmallStream:
        """The first stream."""
        return self._small("first")

    @property
    def second(self) -> SmallStream:
        """The second stream."""
        return self._small("second")

    def _small(self, name: str) -> SmallStream:
        stream = self.streams[name]
        assert isinstance(stream, SmallStream)
        return stream


def small_tap(config: dict[str, Any] | None = None, **options: Any) -> SmallTap:
    """Make the tap, without settings by default."""
    return SmallTap(config=config or {}, **options)


@contextlib.contextmanager
def standard_output() -> Iterator[Callable[[], Run]]:
    """Replace standard output; a call returns what was written so far."""
    raw = io.BytesIO()
    # Held by a name: without one it would close the other when the block ends.
    out = io.TextIOWrapper(raw, encoding="utf-8")
    with contextlib.redirect_stdout(out):
        yield lambda: Run(raw.getvalue().decode())
    out.detach()


def run_of(tap: IsolatingTap) -> tuple[dict[str, Exception], Run]:
    """Run the tap; the failed streams and the messages."""
    with standard_output() as written:
        failed = tap.run()
        return failed, written()


def signalled(tap: SmallTap, signum: signal.Signals = signal.SIGTERM) -> None:
    """Let a signal arrive, as the SDK's handler does."""
    handle = tap._handle_termination  # noqa: SLF001 - what the SDK installs
    handle(signum, None)
