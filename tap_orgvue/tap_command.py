"""The options of the tap's command line, as click callbacks: `--discover`, `--test`, a sync."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

import click
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_orgvue.exit_codes import exit_code_of_streams
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.pages.after_run import after_run
from tap_orgvue.reporting.live_display import LiveDisplay
from tap_orgvue.reporting.recorder import RunRecorder
from tap_orgvue.reporting.report_settings import ReportSettings
from tap_orgvue.reporting.watching import watch
from tap_orgvue.run_ending import conclude, warn_of_signal
from tap_orgvue.scrubbing import escaped
from tap_orgvue.settings.catalog import checked_catalog
from tap_orgvue.settings.files import read_json_object, read_last_json_object
from tap_orgvue.settings.loading import read_configs
from tap_orgvue.settings.settings import SETTINGS_SCHEMA
from tap_orgvue.singer.errors import error_message
from tap_orgvue.singer.isolating_tap import IsolatingTap, Terminated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk import Stream
    from typing_extensions import Self

    from tap_orgvue.drafts.selection import Drafts
    from tap_orgvue.exports.headers import HeaderReader
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.settings import Settings
    from tap_orgvue.singer.output import BufferedWriter
    from tap_orgvue.streams.source import Source

_TEST_HELP = (
    "Check the connection and show what a run would do, without reading a row: stages, the plan "
    "of each stream, and which assumptions about Orgvue's API hold. --config, --catalog and "
    "--state count as in a run; --format=json is for programs. --test=schema writes SCHEMA "
    "messages instead; --test=disabled is as without."
)
_JSON = "json"
_REPORT_SECONDS = 2.0
"""Seconds that a run's report may take once a second signal ends the process."""
_ENVIRONMENT = "ENV"
"""The word that stands for environment variables in place of a config file."""


class StreamsFailed(OrgvueError):
    """Some streams failed; the others are complete.

    Attributes:
        lines: How many failed, then a line for each of them.
        exit_code: That of the run.
    """

    def __init__(self, failed: Mapping[str, Exception], count: int) -> None:
        """Make the lines.

        Args:
            failed: Stream name to its error.
            count: The number of streams that were to be sent.
        """
        self.lines = [
            f"{len(failed)} of {count} streams failed:",
            *(f"  {name}: {error_message(error)}" for name, error in failed.items()),
        ]
        super().__init__("\n".join(map(escaped, self.lines)))
        self.exit_code = exit_code_of_streams(failed.values())


class TapCommand(IsolatingTap):
    """A tap with the command line of this tap; `tap.TapOrgvue` completes it.

    Attributes:
        settings: The run's settings.
        source: The tenant, as the streams read it.
        drafts: The drafts of the run; None without the setting `drafts`.
        recorder: Records the run of this process; None outside of a run of the command.
    """

    settings: Settings
    source: Source
    drafts: Drafts | None = None
    recorder: ClassVar[RunRecorder | None] = None

    _display: LiveDisplay | None = None

    @classmethod
    @override
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap: sync what the catalog selects, each stream for itself.

        Args:
            about: True to print the tap's settings and capabilities instead.
            about_format: `json` or `markdown`; plain text by default.
            config: The settings as the SDK read them.
            state: The state of the last run.
            catalog: The catalog; everything is synced without one.

        Raises:
            StreamsFailed: Streams failed; the others are complete.
        """
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        cls.recorder = RunRecorder(after_report=after_run)
        cls.recorder.settings = ReportSettings.from_config(
            config.config, SETTINGS_SCHEMA, parse_env=config.parse_env
        )
        tap = cls._of_options(config, state, catalog)
        try:
            with tap.watched(sends_records=True):
                tap.setup_mapper()
                failed = tap.run()
        except Terminated:
            tap.write_last_state()
            raise
        finally:
            tap.close()
        if failed:
            selected = {stream.name for stream in tap.streams.values() if stream.selected}
            # Some are no streams of this run: their datasets are gone or could not be read.
            raise StreamsFailed(failed, len(selected | failed.keys()))

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        """The command; the options that `--discover` and `--test` take are read before them."""
        command = super().get_singer_command()
        for param in command.params:
            if param.name in {"about_format", "catalog", "state"}:
                param.is_eager = True
            if isinstance(param, click.Option) and param.name == "test":
                param.type = click.Choice([value.value for value in CliTestOptionValue])
                param.help = _TEST_HELP
            if isinstance(param, click.Option) and param.name == "about_format":
                param.help = "Specify output style for --about, or json for --test"
        return command

    @classmethod
    @override
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        """Take the option `--discover`: write the catalog, named as earlier runs named it."""
        if not value:
            return
        tap = cls._of_options(ctx.params["config"], ctx.params.get("state"))
        try:
            tap.source.headers.reads_metadata = True
            with tap.watched(sends_records=False):
                _ = tap.streams
            tap.run_discovery()
        finally:
            tap.close()
        ctx.exit()

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Take the option `--config`.

        Raises:
            SettingsError: A file cannot be read, or is no JSON object.
        """
        # Each file once: it may be a pipe.
        files = [path for path in value if path != _ENVIRONMENT]
        given = super().cb_config(ctx, param, (_ENVIRONMENT,) if _ENVIRONMENT in value else ())
        given.config = read_configs(files)
        return given

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Take the option `--test`."""
        if value == CliTestOptionValue.Disabled.value:
            return
        form = ctx.params.get("about_format")
        if value == CliTestOptionValue.Schema.value:
            cls._write_schemas(ctx.params["config"])
            ctx.exit()
        if form not in {None, _JSON}:
            raise click.BadParameter(f"--test has no form {form}; it has json.", ctx, param)
        code = cls._check(ctx.params, as_json=form == _JSON)
        ctx.exit(code)

    @classmethod
    def _write_schemas(cls, config: Any) -> None:
        """Write a SCHEMA message for each stream."""
        tap = cls(config=config.config, parse_env_config=config.parse_env)
        try:
            tap.write_catalog_schemas()
        finally:
            tap.close()

    @classmethod
    def _check(cls, given: Mapping[str, Any], *, as_json: bool) -> int:
        """Check the connection and the plan of a run with these options.

        Args:
            given: The command line: config, catalog, state.
            as_json: True to write one JSON document instead of text.

        Returns:
            The exit code.
        """
        # Deferred: a run does not need it.
        from tap_orgvue.checking.command import run_check  # noqa: PLC0415

        return run_check(
            lambda: cls._of_options(given["config"], given.get("state"), given.get("catalog")),
            cls.logger,
            as_json=as_json,
        )

    @classmethod
    def _of_options(
        cls, config: Any, state: IO[str] | None, catalog: IO[str] | None = None
    ) -> Self:
        """The tap with the files that the command line names; it makes no streams yet.

        Args:
            config: The settings as `cb_config` read them.
            state: The state of the last run.
            catalog: The catalog.
        """
        return cls(
            config=config.config,
            parse_env_config=config.parse_env,
            state=None if state is None else read_last_json_object("state", state),
            catalog=None
            if catalog is None
            else checked_catalog(read_json_object("catalog", catalog)),
            setup_mapper=False,
        )

    # -- provided by the tap itself

    @abstractmethod
    def use_source(self, client: Client | None = None, headers: HeaderReader | None = None) -> None:
        """Read the tenant through these; by default by the settings."""

    @abstractmethod
    def selected_streams(self) -> list[Stream]:
        """The streams of a run."""

    @abstractmethod
    def check_patterns(self) -> None:
        """Check that each property exists that a setting names for protection."""

    @abstractmethod
    def close(self) -> None:
        """Stop all requests, and free the disk."""

    @contextmanager
    def watched(self, *, sends_records: bool) -> Iterator[None]:
        """The context of a run whose progress is shown: live on a terminal, else by log lines.

        Args:
            sends_records: False if nothing is written to standard output.
        """
        watcher = watch(
            self.source.journal,
            self.logger,
            seconds_writing=cast("BufferedWriter", self.message_writer).seconds_writing,
            sends_records=sends_records,
        )
        self._display = watcher if isinstance(watcher, LiveDisplay) else None
        with watcher:
            yield

    @override
    def abandon(self, terminated: Terminated) -> None:
        """Leave no display on the terminal, and report the run, unless that takes long."""
        self._remove_display()
        recorder, type(self).recorder = type(self).recorder, None
        if recorder is None:
            return

        def report() -> None:
            if self._syncing is not None:
                self.stream_ended(self._syncing, terminated)
            conclude(recorder, terminated, self.logger)
            warn_of_signal(terminated, self.logger)

        # What this thread holds, as the lock of the log, it cannot let go any more.
        thread = Thread(target=report, name="orgvue-report", daemon=True)
        thread.start()
        thread.join(_REPORT_SECONDS)
        # A frame may have been under way.
        self._remove_display()

    def _remove_display(self) -> None:
        if self._display is not None:
            self._display.abandon()
