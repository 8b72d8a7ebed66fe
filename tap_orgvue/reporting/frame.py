"""The frames of the live display: a line for each stream in work, and one for the whole run.

Imports `rich`, which takes 40 ms: only a run on a terminal imports this module.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tap_orgvue.reporting.figures import clock, grouped, megabytes
from tap_orgvue.reporting.heartbeat import IN_WORK, discovered
from tap_orgvue.reporting.journal import Stage
from tap_orgvue.scrubbing import escaped

if TYPE_CHECKING:
    from tap_orgvue.reporting.journal import Journal, StreamJournal
    from tap_orgvue.reporting.loader_wait import LoaderWait

_STYLES = {
    Stage.WAITING: "yellow",
    Stage.JOB: "yellow",
    Stage.DOWNLOADING: "cyan",
    Stage.SENDING: "green",
}
_LONGEST_NAME = 40
"""Columns of a stream's name; a longer one is cut, and at a third of a narrow terminal."""
_GAP = "  "
_OTHER_LINES = 4
"""Lines of a frame beside those of streams, and of the log above it."""


class FrameMaker:
    """Makes frames of a journal."""

    def __init__(self, journal: Journal, loader: LoaderWait, *, colors: bool) -> None:
        """Make no frame yet.

        Args:
            journal: The run's journal.
            loader: Says whether rows wait for the loader.
            colors: False for a frame without colours and other emphasis.
        """
        self._journal = journal
        self._loader = loader
        self._console = Console(
            # The terminal itself is written to by `FramedStream`.
            file=io.StringIO(),
            color_system="standard" if colors else None,
            legacy_windows=False,
        )

    def lines(self, columns: int, rows: int) -> list[str]:
        """The lines of a frame, ready for a terminal.

        Args:
            columns: The terminal's columns: no line is wider.
            rows: The terminal's rows: the frame has fewer lines.
        """
        journal = self._journal
        streams = journal.streams
        texts = []
        if journal.discovering_since is not None:
            texts.append(self._discovery(journal.discovering_since))
        if streams:
            texts += self._in_work(columns, max(1, rows - _OTHER_LINES))
            texts.append(self._totals())
        fitting = texts[max(0, len(texts) - max(0, rows - 2)) :]
        return [self._rendered(text, columns) for text in fitting]

    def _rendered(self, text: Text, columns: int) -> str:
        text.truncate(columns, overflow="ellipsis")
        with self._console.capture() as shown:
            self._console.print(text, end="", soft_wrap=True)
        return shown.get()

    def _discovery(self, since: float) -> Text:
        elapsed = clock(self._journal.now() - since)
        return Text(f"discovery: {discovered(self._journal)}{_GAP}{elapsed}")

    def _in_work(self, columns: int, at_most: int) -> list[Text]:
        """A line for each stream in work, as many as fit."""
        now, syncing = self._journal.now(), self._journal.syncing
        found = [(stream, *stream.current) for stream in self._journal.streams]
        working = [each for each in found if each[1] in IN_WORK]
        # The stream whose turn it is comes first.
        working.sort(key=lambda each: each[0] is not syncing)
        shown = working if len(working) <= at_most else working[: at_most - 1]
        names = [_name(stream.name, max(1, columns // 3)) for stream, _, _ in shown]
        doing = [self._doing(stage, now) for _, stage, _ in shown]
        name_width = max((cell_len(name.plain) for name in names), default=0)
        stage_width = max((cell_len(text.plain) for text in doing), default=0)
        lines = []
        for (stream, _, since), name, text in zip(shown, names, doing, strict=True):
            if stream is syncing:
                name.stylize("bold")
            name.pad_right(name_width - cell_len(name.plain))
            text.pad_right(stage_width - cell_len(text.plain))
            figures = f"{clock(now - since):>5}{_GAP}{_figures(stream)}"
            lines.append(Text(_GAP).join([name, text, Text(figures.rstrip())]))
        if len(shown) < len(working):
            lines.append(Text(f"and {len(working) - len(shown)} more"))
        return lines

    def _doing(self, stage: Stage, now: float) -> Text:
        if stage is Stage.SENDING and self._loader.is_long(now):
            return Text(f"{stage.value}, waiting for the loader", "magenta")
        return Text(stage.value, _STYLES[stage])

    def _totals(self) -> Text:
        journal = self._journal
        streams = journal.streams
        stages = [stream.stage for stream in streams]
        done, fetched = stages.count(Stage.ENDED), stages.count(Stage.FETCHED)
        parts = [
            f"{done} of {len(streams)} streams done, {len(streams) - done} to go"
            + (f" ({fetched} fetched)" if fetched else ""),
            clock(journal.seconds()),
            f"{grouped(sum(stream.rows for stream in streams))} rows",
            megabytes(sum(stream.bytes_received for stream in streams)),
        ]
        return Text(_GAP.join(parts), "bold")


def _name(name: str, third: int) -> Text:
    """A stream's name without control characters, which a catalog may contain."""
    text = Text(escaped(name).replace("\t", " "))
    text.truncate(min(_LONGEST_NAME, third), overflow="ellipsis")
    return text


def _figures(stream: StreamJournal) -> str:
    """Bytes, rows and rows a second of a stream so far."""
    parts = [megabytes(stream.bytes_received)] if stream.bytes_received else []
    if stream.rows:
        seconds = stream.seconds_in(Stage.SENDING)
        parts.append(f"{grouped(stream.rows)} rows")
        if seconds:
            parts.append(f"{grouped(int(stream.rows / seconds))} rows/s")
    return _GAP.join(parts)
