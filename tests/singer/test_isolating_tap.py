"""A failed stream is alone with its failure; a signal ends the run between two messages."""

from __future__ import annotations

import io
import json
import signal
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from typing_extensions import override

from tap_orgvue.singer import isolating_tap
from tap_orgvue.singer.deferred_versions import DeferredVersionStream
from tap_orgvue.singer.errors import OutputFailed
from tap_orgvue.singer.isolating_tap import IMPATIENT_SECONDS, Terminated
from tap_orgvue.singer.output import BufferedWriter
from tap_orgvue.singer.signals import ending_signals
from tests.support.runs import select
from tests.support.small_tap import First, SmallTap, run_of, signalled, small_tap, standard_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk import Stream
    from singer_sdk.helpers.types import Context


STATE = {"bookmarks": {"first": {"own": 1}, "second": {"own": 2}}}


def raising(error: BaseException) -> Callable[[], object]:
    """What happens in a stream that fails."""

    def fail() -> object:
        raise error

    return fail


def test_the_other_streams_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """A stream that fails is returned with its error, is told, and keeps its old state.

    It is no error of the log yet: the caller tells it at the end, where it is the last word.
    """
    caplog.set_level("INFO")
    tap = small_tap(state=STATE)
    tap.first.happen = lambda: (
        tap.first.stream_state.update(own="new", more=1),
        raising(ValueError("No luck."))(),
    )
    tap.second.happen = lambda: tap.second.stream_state.update(own="new")
    failed, run = run_of(tap)
    assert [str(error) for error in failed.values()] == ["No luck."]
    assert list(failed) == ["first"]
    assert len(run.records["second"]) == 3
    assert run.state["bookmarks"] == {"first": {"own": 1}, "second": {"own": "new"}}
    assert "first failed; the other streams continue: ValueError: No luck." in caplog.messages
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_failed_stream_may_keep_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hook adds to its old state is written before the next stream begins."""
    tap = small_tap(state=STATE)
    tap.first.happen = raising(ValueError())

    def keep(stream: Stream) -> bool:
        stream.stream_state["kept"] = True
        return True

    monkeypatch.setattr(tap, "keep_of_failed", keep)
    _, run = run_of(tap)
    kept = {"own": 1, "kept": True}
    words = [
        message.get("stream") or message["value"]["bookmarks"]["first"] for message in run.messages
    ]
    assert words.index(kept) < words.index("second")


def test_an_error_holds_on_to_nothing() -> None:
    """What it was raised from would keep rows in memory until the end of the run."""
    tap = small_tap()

    def fail() -> object:
        raise ValueError from KeyError()

    tap.first.happen = fail
    failed, _ = run_of(tap)
    error = failed["first"]
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_each_end_of_a_stream_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A complete stream, a failed one with its causes, and one that a signal or the run ends."""
    ended: list[tuple[str, str | None, bool]] = []

    def note(_: object, stream: Stream, error: BaseException | None) -> None:
        caused = error is not None and error.__cause__ is not None
        ended.append((stream.name, None if error is None else type(error).__name__, caused))

    monkeypatch.setattr(SmallTap, "stream_ended", note)

    def fail() -> object:
        raise ValueError from KeyError()

    tap = small_tap()
    tap.first.happen = fail
    run_of(tap)
    assert ended == [("first", "ValueError", True), ("second", None, False)]
    for error in (LookupError(), OutputFailed()):
        tap = small_tap()
        tap.first.happen = raising(error)
        with standard_output(), pytest.raises(type(error)):
            tap.run()
    tap = small_tap()
    tap.first.happen = lambda: signalled(tap)
    with standard_output(), pytest.raises(Terminated):
        tap.run()
    assert [name for name, _, _ in ended[2:]] == ["first"] * 3
    assert ended[-1][1] == "Terminated"


@pytest.mark.parametrize("error", [LookupError("No token."), OutputFailed("No room.")])
def test_some_errors_end_the_run(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """What every other stream would meet is raised; the streams that were not sent are named."""
    tap = small_tap(state=STATE)
    tap.first.happen = raising(error)
    with standard_output(), pytest.raises(type(error)):
        tap.run()
    assert tap.state == STATE
    assert "The run ends. Not sent: first, second." in caplog.messages


def test_an_earlier_failure_is_reported_when_the_run_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Once, as an error: nobody else will tell it."""
    tap = small_tap()
    tap.first.happen = raising(ValueError("No luck."))
    tap.second.happen = raising(LookupError("No token."))
    with standard_output(), pytest.raises(LookupError):
        tap.run()
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert errors == ["The run ends. Not sent: first, second.", "first: ValueError: No luck."]


def test_streams_that_were_sent_are_not_named(caplog: pytest.LogCaptureFixture) -> None:
    """Nor are deselected ones."""
    tap = small_tap()
    tap.second.happen = raising(LookupError())
    with standard_output(), pytest.raises(LookupError):
        tap.run()
    assert "The run ends. Not sent: second." in caplog.messages
    caplog.clear()
    tap = small_tap()
    tap.first.selected = False
    tap.second.happen = raising(LookupError())
    with standard_output(), pytest.raises(LookupError):
        tap.run()
    assert "The run ends. Not sent: second." in caplog.messages


def test_a_deselected_stream_is_skipped() -> None:
    """It sends nothing, and is no failure."""
    tap = small_tap()
    tap.first.selected = False
    failed, run = run_of(tap)
    assert failed == {}
    assert set(run.schemas) == set(run.records) == {"second"}


def test_a_run_begins_with_the_state_of_the_last() -> None:
    """A loader has it even if nothing follows; without one nothing is written."""
    _, run = run_of(small_tap(state=STATE))
    assert run.messages[0] == {"type": "STATE", "value": STATE}
    _, run = run_of(small_tap())
    assert run.messages[0]["type"] == "SCHEMA"


def test_progress_of_a_run_that_was_killed_is_dropped() -> None:
    """A state that was written in the middle of a stream starts the stream from its bookmark."""
    marks = {"progress_markers": {"replication_key": "changed", "replication_key_value": "x"}}
    _, run = run_of(small_tap(state={"bookmarks": {"first": {"own": 1, **marks}}}))
    assert run.messages[0]["value"]["bookmarks"]["first"] == {"own": 1}


def test_nothing_is_left_in_the_buffer() -> None:
    """The last record of a run is written, whatever came behind it."""
    tap = small_tap()
    tap.second.happen = raising(ValueError())
    _, run = run_of(tap)
    assert run.messages[-1]["type"] == "RECORD"
    assert len(run.records["second"]) == 3


@pytest.mark.parametrize("signum,code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run(signum: signal.Signals, code: int) -> None:
    """No `except Exception` stops it; its code tells of the signal."""
    tap = small_tap()
    tap.first.happen = lambda: signalled(tap, signum)
    with standard_output() as written, pytest.raises(Terminated, match=signum.name) as raised:
        tap.run()
    assert raised.value.code == code
    assert not written().schemas.get("second")
    assert not issubclass(Terminated, Exception)


def test_a_signal_waits_for_the_writer() -> None:
    """While a message may be half written, the writer raises the error later."""
    tap = small_tap()
    writer = tap.message_writer
    assert isinstance(writer, BufferedWriter)
    writer.is_writing = True
    signalled(tap)
    assert isinstance(writer.interruption, Terminated)


def test_a_signal_before_the_writer_is_made() -> None:
    """The SDK installs its handlers first of all."""
    tap = small_tap()
    del tap.message_writer
    with pytest.raises(Terminated):
        signalled(tap)


def test_a_repeated_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a second it is the same one; later it ends the process at once, with its code."""
    now = 100.0
    clock = SimpleNamespace(monotonic=lambda: now)
    ended: list[int] = []
    monkeypatch.setattr(isolating_tap, "time", clock)
    monkeypatch.setattr(isolating_tap, "os", SimpleNamespace(_exit=ended.append))
    tap = small_tap()
    with pytest.raises(Terminated):
        signalled(tap)
    now += IMPATIENT_SECONDS
    signalled(tap)
    assert ended == []
    now += 0.1
    signalled(tap, signal.SIGINT)
    assert ended == [130]


def test_the_last_state_is_repeated() -> None:
    """After a signal, behind everything that was buffered."""
    tap = small_tap()
    with standard_output() as written:
        tap.run()
        before = written().messages
        tap.write_last_state()
        assert written().messages == [*before, before[-1]]
        assert before[-1]["type"] == "STATE"


def test_schemas_are_written_without_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every stream, also a deselected one; none is prepared, which would take requests."""
    monkeypatch.setattr(First, "prepare", lambda _: pytest.fail("It was prepared."))
    tap = small_tap()
    tap.first.selected = False
    with standard_output() as written:
        tap.write_catalog_schemas()
    assert [message["type"] for message in written().messages] == ["SCHEMA", "SCHEMA"]
    assert set(written().schemas) == {"first", "second"}


def test_schemas_of_deselected_streams_are_mapped() -> None:
    """The maps of a stream that the catalog deselects are made when its schema is written."""
    catalog = json.loads(small_tap().catalog_json_text)
    select(catalog, "first", selected=False)
    maps = {"stream_maps": {"first": {"more": "str(letter)"}}}
    tap = small_tap(maps, catalog=catalog)
    with standard_output() as written:
        tap.write_catalog_schemas()
    assert "more" in written().schemas["first"]["schema"]["properties"]
    assert set(written().schemas) == {"first", "second"}


class PlainStream(DeferredVersionStream):
    """A stream that is not a fast one."""

    name = "plain"
    schema: ClassVar[dict[str, Any]] = {"properties": {"x": {"type": "string"}}}

    @override
    def get_records(self, context: Context | None) -> list[dict[str, Any]]:
        """One record."""
        return [{"x": "1"}]


class MixedTap(SmallTap):
    """A tap of both kinds."""

    @override
    def discover_streams(self) -> list[Stream]:  # type: ignore[override]
        """Make a stream of each kind."""
        return [First(self), PlainStream(self)]


def test_schemas_of_streams_of_every_kind() -> None:
    """Also of those that need no preparation."""
    with standard_output() as written:
        MixedTap(config={}).write_catalog_schemas()
    assert set(written().schemas["plain"]["schema"]["properties"]) == {"x"}
    assert set(written().schemas) == {"first", "plain"}


def test_costs_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a run, as the SDK does."""
    logged: list[str] = []
    monkeypatch.setattr(First, "log_sync_costs", lambda self: logged.append(self.name))
    run_of(small_tap())
    assert logged == ["first"]


def test_the_catalog_is_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as that again, also where a console has another encoding."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    tap = small_tap()
    tap.first.schema["properties"]["letter"]["title"] = "Größe →"
    catalog = tap.run_discovery()
    assert raw.getvalue().decode() == f"{catalog}\n"
    assert json.loads(catalog)["streams"][0]["tap_stream_id"] == "first"


@pytest.mark.parametrize("form", [None, "json", "markdown"])
def test_what_the_tap_can_do_is_written(form: str | None) -> None:
    """As the SDK prints it."""
    with standard_output() as written:
        type(small_tap()).print_about(form)
        assert "tap-small" in written().stdout


def test_signals_that_end_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP too, unless it was ignored when the process began; none outside the main thread."""
    handled: dict[int, object] = {}
    monkeypatch.setattr(signal, "signal", handled.__setitem__)
    tap = small_tap()
    assert handled == dict.fromkeys(ending_signals(), tap._handle_termination)  # noqa: SLF001
    assert set(handled) == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    handled.clear()
    thread = threading.Thread(target=small_tap)
    thread.start()
    thread.join()
    assert handled == {}


def test_settings_are_not_read_from_the_environment_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would take a value that it cannot read for another one."""
    monkeypatch.setenv("TAP_SMALL_FLATTENING_MAX_DEPTH", "5")
    tap = small_tap(parse_env_config=True)
    assert "flattening_max_depth" not in tap.config
