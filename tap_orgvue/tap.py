"""The tap: settings, streams, and the SDK's command line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, ClassVar

import click
from dotenv import load_dotenv
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_orgvue.connection_check import StageFailed, check_connection
from tap_orgvue.exports.fetcher import ExportFetcher
from tap_orgvue.exports.headers import HeaderReader
from tap_orgvue.orgvue.auth import read_token_dates
from tap_orgvue.orgvue.client import Client, ClientOptions
from tap_orgvue.orgvue.errors import OrgvueError, RequestLimitReached, Stopped, TenantRefusal
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.scrubbing import SCRUBBER, escaped
from tap_orgvue.settings import Settings, SettingsError
from tap_orgvue.settings.catalog import checked_catalog
from tap_orgvue.settings.config import normalized
from tap_orgvue.settings.environment import misspelt_variables, read_environment
from tap_orgvue.settings.files import read_config, read_json_object, read_last_json_object
from tap_orgvue.settings.settings import SETTINGS_SCHEMA
from tap_orgvue.settings.state import unwrapped_state
from tap_orgvue.singer.errors import LoaderGone, error_message
from tap_orgvue.singer.isolating_tap import IsolatingTap, Terminated
from tap_orgvue.singer.output import BufferedWriter
from tap_orgvue.streams.dataset_stream import DatasetStream
from tap_orgvue.streams.discovery import Discovery
from tap_orgvue.streams.metadata_streams import DatasetsStream, PropertiesStream
from tap_orgvue.streams.prefetch import Prefetcher
from tap_orgvue.streams.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk import Stream

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


class TapOrgvue(IsolatingTap):
    """Singer tap for Orgvue: one stream per dataset of a tenant, read through its export."""

    # The docstring is what `--about` shows to users: attributes are told where they are set.
    name = "tap-orgvue"
    dynamic_catalog = True
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS_SCHEMA
    message_writer_class = BufferedWriter
    run_ending = (TenantRefusal, RequestLimitReached, Stopped)

    @override
    def __init__(
        self,
        *,
        setup_mapper: bool = True,
        validate_config: bool = True,
        **kwargs: Any,
    ) -> None:
        """Read the settings, and with a mapper also the streams.

        Args:
            setup_mapper: True if the streams are needed; the SDK passes False to discover.
            validate_config: Ignored: nothing can be done without valid settings.
            **kwargs: The SDK's: config, catalog, state, parse_env_config, message_writer.

        Raises:
            SettingsError: With one line for each mistake.
            OrgvueError: The streams cannot be discovered.
        """
        config = self._read_settings(
            kwargs.pop("config", None), parse_env=bool(kwargs.get("parse_env_config"))
        )
        super().__init__(setup_mapper=False, validate_config=False, config=config, **kwargs)
        SCRUBBER.keep(self.settings.api_token, self.config.get("hash_key"))
        SCRUBBER.install()
        # At DEBUG it logs the results of stream map expressions: values of cells.
        logging.getLogger("singer_sdk.mapper").setLevel(logging.INFO)
        self._check_token()
        self.source = self._make_source()
        """The tenant, as the streams read it."""
        if setup_mapper:
            self.setup_mapper()

    def _read_settings(self, config: Any, *, parse_env: bool) -> dict[str, Any]:
        """Set `settings`, before the SDK looks at the config: it prints the values it refuses.

        Returns:
            The config for the SDK.
        """
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        mistakes, others = misspelt_variables(os.environ, schema)
        if others:
            self.logger.info("No settings of the tap: %s.", ", ".join(others))
        given = dict(config) if isinstance(config, Mapping) else _read_configs(config)
        if parse_env:
            # The SDK's way to have variables in a file.
            load_dotenv()
            variables, unreadable = read_environment(os.environ, schema)
            given |= variables
            mistakes += unreadable
        if mistakes:
            raise SettingsError(mistakes)
        self.settings = Settings.from_config(given, schema)
        return normalized(given, schema)

    def _make_source(self) -> Source:
        settings = self.settings
        rules = ColumnRules(
            types=settings.property_types,
            excluded=settings.exclude_properties,
            hashed=settings.hash_properties,
            original_names=settings.original_columns,
            new_properties=settings.new_properties,
        )
        client = self._make_client(settings.max_retries)
        headers = HeaderReader(
            client, self.logger, include_calculations=settings.include_calculations
        )
        return Source(
            settings=settings,
            rules=rules,
            client=client,
            headers=headers,
            discovery=Discovery(
                client,
                headers,
                rules=rules,
                settings=settings,
                catalog=self.input_catalog,
                logger=self.logger,
            ),
            fetcher=ExportFetcher(
                client,
                settings.export_mode,
                job_timeout=settings.job_timeout,
                temp_dir=settings.temp_dir,
                # A thread compresses BATCH files already; one more would only take turns.
                reads_ahead=not self.config.get("batch_config"),
            ),
            prefetcher=Prefetcher(settings.max_parallel_requests),
        )

    def _make_client(self, max_retries: int) -> Client:
        settings = self.settings
        options = ClientOptions(
            api_url=settings.api_url,
            tenant_id=settings.tenant_id,
            api_token=settings.api_token,
            user_agent=settings.user_agent,
            request_timeout=settings.request_timeout,
            max_parallel_requests=settings.max_parallel_requests,
            max_retries=max_retries,
            max_requests_per_run=settings.max_requests_per_run,
        )
        return Client(options, logger=self.logger)

    def _check_token(self) -> None:
        """Tell of a token that would be refused, or will be soon, before anything is sent.

        Raises:
            SettingsError: It has expired, or is not active yet.
        """
        dates, now = read_token_dates(self.settings.api_token), datetime.now(timezone.utc)
        page = f"{self.settings.api_url}/tokens"
        if refusal := dates.refusal(now, page):
            raise SettingsError([f"api_token: {refusal}"])
        if warning := dates.warning(now, page):
            self.logger.warning("%s", warning)

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Take the state of an earlier run, also one in a STATE message or in Meltano's export.

        Raises:
            SettingsError: It is none.
        """
        super().load_state(unwrapped_state(state))

    @override
    def discover_streams(self) -> Sequence[Stream]:
        """Make the streams of the catalog, or of the tenant without one.

        The SDK calls this in both cases.
        """
        definitions = list(self.source.discovery.streams())
        streams = [DatasetStream(self, self.source, definition) for definition in definitions]
        self._check_names({each.name: each.dataset_id.upper() for each in definitions})
        return [*streams, DatasetsStream(self, self.source), PropertiesStream(self, self.source)]

    def _check_names(self, streams: Mapping[str, str]) -> None:
        """Tell of settings for streams that are not there: one that is misspelt has no effect.

        Args:
            streams: Stream name to dataset id in upper case.

        Raises:
            SettingsError: A dataset is named twice, by its name and by its id.
        """
        tables = {
            "filters": self.settings.filters,
            "linking_relationships": self.settings.linking_relationships,
        }
        mistakes = [
            f"{setting}: names the stream {name!r} twice, by its name and by its dataset's id."
            for setting, table in tables.items()
            for name, dataset_id in streams.items()
            if name in table and dataset_id in table
        ]
        if mistakes:
            raise SettingsError(mistakes)
        known = {*streams, *streams.values()}
        for setting, table in tables.items():
            for name in table:
                if name not in known:
                    self.logger.warning(
                        "%s: there is no stream and no dataset %r; what is set for it has no "
                        "effect.",
                        setting,
                        name,
                    )

    @property
    @override
    def catalog_dict(self) -> dict[str, Any]:
        """The catalog, each dataset's stream with the dataset's id as its `table_name`."""
        catalog = super().catalog_dict
        for entry in catalog["streams"]:
            stream = self.streams[entry["tap_stream_id"]]
            if isinstance(stream, DatasetStream):
                entry["table_name"] = stream.dataset_id
        return catalog

    @override
    def run(self) -> dict[str, Exception]:
        """Sync all selected streams; their exports are fetched in the order of the streams."""
        for stream in self.streams.values():
            if isinstance(stream, DatasetStream) and stream.selected:
                self.source.prefetcher.plan(stream.name, stream.fetch_first)
        return super().run()

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
        except BrokenPipeError:
            # click would end with it in silence.
            raise LoaderGone("The loader closed the pipe before everything was sent.") from None
        finally:
            tap.close()
        if failed:
            selected = sum(stream.selected for stream in tap.streams.values())
            raise StreamsFailed(failed, selected)

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
        given.config = _read_configs(files)
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
        client = self._make_client(min(self.settings.max_retries, _CHECK_RETRIES))
        try:
            for stage, found in check_connection(client, self.settings, self.logger):
                _print_stage("✓", f"{stage}: {found}")
        except StageFailed as failed:
            _print_stage("✗", f"{failed.stage}: {failed.advice}")
            raise SystemExit(1) from None
        finally:
            client.close()
            self.close()

    def close(self) -> None:
        """End what is under way: no further request is sent, and disk is freed."""
        self.source.close()


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


def _read_configs(paths: Any) -> dict[str, Any]:
    """The settings of several files, later ones over earlier ones."""
    config: dict[str, Any] = {}
    for path in [paths] if isinstance(paths, (str, PurePath)) else paths or ():
        config |= read_config(str(path))
    return config
