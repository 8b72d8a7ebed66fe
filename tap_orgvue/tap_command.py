"""The tap's command line: what the SDK's options do, and `--test`."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any, ClassVar

import click
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_orgvue.connection_check import CHECK_SECONDS, StageFailed, check_connection
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.reporting.recorder import RunRecorder
from tap_orgvue.run_recording import given_report_settings
from tap_orgvue.scrubbing import SCRUBBER, escaped
from tap_orgvue.settings import SettingsError
from tap_orgvue.settings.catalog import checked_catalog
from tap_orgvue.settings.files import read_json_object, read_last_json_object
from tap_orgvue.settings.loading import read_configs
from tap_orgvue.settings.settings import SETTINGS_SCHEMA
from tap_orgvue.singer.errors import error_message
from tap_orgvue.singer.isolating_tap import IsolatingTap, Terminated
from tap_orgvue.streams.source import make_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_orgvue.settings import Settings

_CHECK_RETRIES = 2
"""Retries of `--test`, which takes seconds; a run has more patience."""
_ENVIRONMENT = "ENV"
"""The word that stands for environment variables in place of a config file."""


class StreamsFailed(OrgvueError):
    """Some streams failed; the others are complete.

    Attributes:
        lines: How many failed, then a line for each of them.
    """

    def __init__(self, failed: Mapping[str, Exception], selected: int) -> None:
        """Sum the failures up.

        Args:
            failed: Stream name to its error.
            selected: The number of selected streams.
        """
        self.lines = [
            f"{len(failed)} of {selected} streams failed:",
            *(f"  {name}: {error_message(error)}" for name, error in failed.items()),
        ]
        super().__init__("\n".join(map(escaped, self.lines)))


class TapCommand(IsolatingTap):
    """A tap's command line; `tap.TapOrgvue` is the tap.

    Attributes:
        settings: The run's settings.
        recorder: Records the run of this process; None outside of a run of the command.
    """

    settings: Settings
    recorder: ClassVar[RunRecorder | None] = None

    @classmethod
    @override
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap: sync what the catalog selects, each stream for itself.

        Args:
            about: Show what the tap can do instead.
            about_format: In which form.
            config: What the SDK read of the settings.
            state: Where the last run left off.
            catalog: What to sync; everything when there is none.

        Raises:
            OrgvueError: Naming each stream that failed and why.
        """
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        cls.recorder = RunRecorder()
        cls.recorder.settings = given_report_settings(
            config.config if config else None,
            SETTINGS_SCHEMA,
            parse_env=bool(config and config.parse_env),
        )
        tap = cls(
            config=config.config if config else None,
            state=None if state is None else read_last_json_object("state", state),
            catalog=None
            if catalog is None
            else checked_catalog(read_json_object("catalog", catalog)),
            parse_env_config=bool(config and config.parse_env),
        )
        try:
            failed = tap.run()
        except Terminated:
            tap.write_last_state()
            raise
        finally:
            tap.close()
        if failed:
            selected = sum(stream.selected for stream in tap.streams.values())
            raise StreamsFailed(failed, selected)

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        """The command; `--state` is read before `--discover`, which keeps the names in it."""
        command = super().get_singer_command()
        for param in command.params:
            if param.name == "state":
                param.is_eager = True
        return command

    @classmethod
    @override
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        """Take the option `--discover`: write the catalog, named as earlier runs named it."""
        if not value:
            return
        config, state = ctx.params.get("config"), ctx.params.get("state")
        tap = cls(
            config=config.config if config else None,
            parse_env_config=bool(config and config.parse_env),
            state=None if state is None else read_last_json_object("state", state),
            setup_mapper=False,
        )
        try:
            tap.run_discovery()
        finally:
            tap.close()
        ctx.exit()

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Take the option `--config`.

        Raises:
            SettingsError: A file is not there, or no JSON object.
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
        config = ctx.params["config"]
        describes = value == CliTestOptionValue.Schema.value
        try:
            tap = cls(
                config=config.config, parse_env_config=config.parse_env, setup_mapper=describes
            )
        except SettingsError as error:
            for mistake in error.mistakes:
                _print_stage("✗", f"settings: {mistake}", err=True)
            raise
        if describes:
            tap.write_catalog_schemas()
        else:
            tap.print_connection_check()
        ctx.exit()

    def print_connection_check(self) -> None:
        """Check what a run needs, one line per stage.

        Raises:
            SystemExit: With 1, at the first stage that fails.
        """
        retries = min(self.settings.max_retries, _CHECK_RETRIES)
        client = make_client(
            self.settings, self.logger, max_retries=retries, total_timeout=CHECK_SECONDS
        )
        try:
            for stage, found in check_connection(client, self.settings, self.logger):
                _print_stage("✓", f"{stage}: {found}")
        except StageFailed as failed:
            _print_stage("✗", f"{failed.stage}: {failed.advice}")
            for stage in failed.unchecked:
                _print_stage("-", f"{stage}: not checked")
            raise SystemExit(1) from None
        finally:
            client.close()
            self.close()

    def close(self) -> None:
        """End what is under way."""
        raise NotImplementedError


def _print_stage(mark: str, text: str, *, err: bool = False) -> None:
    """Print a line of `--test`, in the signs that the console has."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "ascii"
    line = f"{mark} {SCRUBBER.line(text)}"
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        plain = line.replace("✓", "OK").replace("✗", "FAILED")
        line = plain.encode(encoding, "backslashreplace").decode(encoding)
    click.echo(line, err=err)
