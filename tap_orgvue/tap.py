"""The tap: its settings and its streams."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_orgvue.drafts.actions_stream import DraftActionsStream
from tap_orgvue.drafts.checks import (
    mistakes_about_drafts,
    protect_in_drafts,
    streams_without_setting,
)
from tap_orgvue.drafts.datasets import DraftDatasets
from tap_orgvue.drafts.selection import Drafts
from tap_orgvue.drafts.streams import DraftsStream, DraftStream
from tap_orgvue.orgvue.errors import RUN_ENDING, Misconfigured, OrgvueError
from tap_orgvue.reporting.report_settings import ReportSettings
from tap_orgvue.reporting.run_report import Status
from tap_orgvue.schema.columns import columns_in
from tap_orgvue.schema.naming import DRAFT_ACTIONS_STREAM, DRAFT_STREAMS
from tap_orgvue.scrubbing import SCRUBBER
from tap_orgvue.settings import SettingsError
from tap_orgvue.settings.data_settings import FailOrWarn
from tap_orgvue.settings.loading import load_settings
from tap_orgvue.settings.settings import SETTINGS_SCHEMA
from tap_orgvue.settings.state import unwrapped_state
from tap_orgvue.singer.output import BufferedWriter
from tap_orgvue.streams.absent import (
    CATALOG_KEY,
    absent_streams,
    from_catalog,
    names_in,
    skipped_by,
    skipped_datasets,
    to_catalog,
)
from tap_orgvue.streams.catalog_facts import add_facts
from tap_orgvue.streams.dataset_stream import DatasetStream
from tap_orgvue.streams.metadata_streams import DatasetsStream, PropertiesStream
from tap_orgvue.streams.recording import note_absent, plan_outcomes, stream_ended
from tap_orgvue.streams.setting_names import named_twice, unmatched_patterns, without_effect
from tap_orgvue.streams.source import make_source
from tap_orgvue.tap_command import TapCommand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from singer_sdk import Stream

    from tap_orgvue.exports.headers import HeaderReader
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.streams.discovery import StreamDefinition


class TapOrgvue(TapCommand):
    """Singer tap for Orgvue: one stream per dataset of a tenant, read through its export."""

    # `--about` shows the docstring to users, so that it has no section of attributes.
    name = "tap-orgvue"
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS_SCHEMA
    message_writer_class = BufferedWriter
    run_ending = RUN_ENDING

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
            validate_config: Ignored: the settings are always validated.
            **kwargs: The SDK's: config, catalog, state, parse_env_config, message_writer.

        Raises:
            SettingsError: With one line for each mistake.
            OrgvueError: The streams cannot be discovered.
        """
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        self.settings, config = load_settings(
            kwargs.pop("config", None),
            schema=schema,
            parse_env=bool(kwargs.get("parse_env_config")),
            logger=self.logger,
        )
        super().__init__(setup_mapper=False, validate_config=False, config=config, **kwargs)
        SCRUBBER.keep(self.settings.api_token, self.config.get("hash_key"))
        SCRUBBER.install()
        # At DEBUG it logs the results of stream map expressions: values of cells.
        logging.getLogger("singer_sdk.mapper").setLevel(logging.INFO)
        if self.recorder is not None:
            self.recorder.settings = ReportSettings.of(self.settings)
        given = kwargs.get("catalog")
        # In a notebook it may be a path.
        catalog = given if isinstance(given, dict) else {CATALOG_KEY: None}
        self._skipped = from_catalog(catalog)
        self._has_old_catalog = CATALOG_KEY not in catalog
        self._names_in_catalog = names_in(catalog)
        self.use_source()
        if setup_mapper:
            self.setup_mapper()

    @override
    def setup_mapper(self) -> None:
        """Make the streams and their maps, for a run."""
        # A run reports skipped datasets as errors at its end.
        self.source.discovery.skip_level = logging.WARNING
        super().setup_mapper()

    @override
    def use_source(self, client: Client | None = None, headers: HeaderReader | None = None) -> None:
        """Read the tenant through these, before there are streams; by default by the settings."""
        self.source = make_source(
            self.settings,
            state=self.state,
            catalog=self.input_catalog,
            # A thread compresses BATCH files already; one more would only take turns.
            reads_ahead=not self.config.get("batch_config"),
            logger=self.logger,
            names_in_catalog=self._names_in_catalog,
            client=client,
            headers=headers,
        )
        if self.recorder is not None:
            self.recorder.watch(self.source.journal, self.source.outcomes, self.source.client)

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Take the state of an earlier run, also one in a STATE message or in Meltano's export.

        Raises:
            SettingsError: It is no state.
        """
        super().load_state(unwrapped_state(state))

    @override
    def discover_streams(self) -> Sequence[Stream]:
        """Make the streams of the catalog, or of the tenant without one.

        The SDK calls this in both cases.
        """
        discovery, journal = self.source.discovery, self.source.journal
        with journal.discovery():
            if not discovery.has_catalog:
                journal.to_discover = len(discovery.datasets)
            definitions = list(discovery.streams())
        streams = [DatasetStream(self, self.source, definition) for definition in definitions]
        self._check_names(definitions)
        about = [DatasetsStream(self, self.source), PropertiesStream(self, self.source)]
        return [*streams, *about, *self._draft_streams(streams)]

    def _draft_streams(self, streams: Sequence[DatasetStream]) -> Sequence[Stream]:
        """Make the streams of drafts, if `drafts` is set."""
        for warning in streams_without_setting(self.settings, self.input_catalog):
            self.logger.warning("%s", warning)
        if not self.settings.drafts:
            return []
        skipped = self._skipped + skipped_by(self.source.discovery)
        maps = self.config.get("stream_maps")
        datasets = DraftDatasets(
            self.source, streams, logger=self.logger, skipped=skipped, maps=maps
        )
        self.drafts = drafts = Drafts(self.source, datasets, self.logger)
        return [kind(self, self.source, drafts) for kind in (DraftsStream, DraftActionsStream)]

    def _check_names(self, definitions: Sequence[StreamDefinition]) -> None:
        """Check the settings that name streams, properties and patterns.

        Raises:
            SettingsError: A dataset is named twice, by its stream and by its id.
        """
        if self.source.headers.not_reached:
            # A setting may name one of these.
            return
        streams = {each.name: each.dataset_id.upper() for each in definitions}
        properties = {
            each.name: [column.key for column in columns_in(each.schema)] for each in definitions
        }
        mistakes = named_twice(self.settings, streams)
        mistakes += mistakes_about_drafts(self.settings, definitions)
        if mistakes:
            raise SettingsError(mistakes)
        for warning in without_effect(self.settings, streams, properties):
            self.logger.warning("%s", warning)
        if self.settings.drafts:
            protect_in_drafts(self.source.rules, definitions)
        for setting, pattern, names_one in unmatched_patterns(
            self.source.rules, self.source.earlier
        ):
            # Those that end a run are told once, by `check_patterns`.
            if not (names_one and self._refuses_unmatched):
                self.logger.warning(
                    "%s: the pattern %r matches no property of any stream.", setting, pattern
                )

    @property
    def _refuses_unmatched(self) -> bool:
        """True if a run ends where a property that is named for protection does not exist.

        A run over some datasets, and a catalog of an older version, may lack the property.
        """
        is_partial = bool(
            self.settings.datasets or self._has_old_catalog or self.source.headers.not_reached
        )
        return not is_partial and self.settings.unmatched_patterns is FailOrWarn.FAIL

    @override
    def check_patterns(self) -> None:
        """Check, before any row, that each property named for protection exists.

        Raises:
            SettingsError: An entry without wildcards has never matched a property.
        """
        if mistakes := self._unmatched_protection():
            raise SettingsError(mistakes)

    def _unmatched_protection(self) -> list[str]:
        """The entries for which a run ends, each with what to do."""
        if not self._refuses_unmatched:
            return []
        return [
            f"{setting}: {pattern!r} matches no property, so that values it should protect would "
            "be sent. Correct it, or set `unmatched_patterns` to warn."
            for setting, pattern, names_one in unmatched_patterns(
                self.source.rules, self.source.earlier
            )
            if names_one
        ]

    @property
    @override
    def all_streams_known(self) -> bool:
        """False if `datasets` leaves streams out, or discovery skipped a dataset."""
        source = self.source
        missing = self._skipped or source.discovery.skipped or source.headers.not_reached
        return not (self.settings.datasets or missing)

    @property
    @override
    def catalog_dict(self) -> dict[str, Any]:
        """The catalog, each dataset's stream with the dataset's id as its `table_name`.

        A stream's metadata has facts about its dataset: see `schema.dataset_facts`.
        """
        discovery, headers = self.source.discovery, self.source.headers
        # Without effect on existing streams.
        headers.reads_metadata = True
        catalog = super().catalog_dict
        for mistake in self._unmatched_protection():
            # No run, so that nothing ends for it.
            self.logger.warning("%s", mistake)
        entries = {
            stream.dataset_id: entry
            for entry in catalog["streams"]
            if isinstance(stream := self.streams[entry["tap_stream_id"]], DatasetStream)
        }
        for dataset_id, entry in entries.items():
            entry["table_name"] = dataset_id
        if not discovery.has_catalog:
            add_facts(entries, discovery.datasets, headers.metadata)
        if headers.metadata_error is not None:
            self.logger.warning(
                "The catalog lacks the keys of some datasets. %s", headers.metadata_error
            )
        names = {dataset_id: self.source.dataset_names.now(dataset_id) for dataset_id in entries}
        catalog[CATALOG_KEY] = to_catalog(skipped_by(discovery), names)
        return catalog

    @override
    def selected_streams(self) -> list[Stream]:
        """The streams of a run.

        Raises:
            Misconfigured: There is none.
        """
        selected = [stream for stream in self.streams.values() if stream.selected]
        if not selected:
            raise Misconfigured("Nothing is selected: the catalog selects no stream of the tap.")
        return selected

    @override
    def run(self) -> dict[str, Exception]:
        """Sync all selected streams; their exports are fetched in the order of the streams.

        Returns:
            Stream or dataset name to its error, for each that could not be sent.

        Raises:
            Misconfigured: Nothing is selected.
            SettingsError: A property that should be protected does not exist.
        """
        selected = self.selected_streams()
        plan_outcomes(self.source, selected, self._skipped)
        self.check_patterns()
        for warning in self.source.earlier.warnings:
            self.logger.warning("%s", warning)
        names = {stream.name for stream in selected}
        if self.drafts is not None and names & {*DRAFT_STREAMS}:
            self.drafts.start(with_actions=DRAFT_ACTIONS_STREAM in names)
        for stream in selected:
            # Named to the journal in their order, so that it knows how many there are.
            self.source.journal.stream(stream.name)
            if isinstance(stream, DatasetStream):
                self.source.prefetcher.plan(stream.name, stream.fetch_first)
        return super().run()

    @override
    def turn_of(self, stream: Stream) -> AbstractContextManager[None]:
        """The context of a stream's sync, for the journal."""
        return self.source.journal.turn_of(stream.name)

    @override
    def not_sent(self) -> Iterator[tuple[str, OrgvueError]]:
        """Datasets that this run should have sent and could not.

        Yields:
            Stream or dataset name, and error.
        """
        discovery = self.source.discovery
        skipped = self._skipped + skipped_by(discovery)
        for each, failure in skipped_datasets(self.source, skipped):
            note_absent(self.source, Status.LEFT_OUT, each.dataset_id, each.name, failure)
            yield each.name, failure
        streams = [each for each in self.streams.values() if isinstance(each, DatasetStream)]
        present = {stream.dataset_id.upper() for stream in streams}
        for name, error in absent_streams(self.source, skipped, present):
            owner = self.source.earlier.dataset_of(name) or ""
            note_absent(self.source, Status.MISSING, owner, name, error)
            if self.settings.missing_streams is FailOrWarn.FAIL:
                yield name, error
            else:
                self.logger.warning("%s", error)

    @override
    def stream_ended(self, stream: Stream, error: BaseException | None) -> None:
        """Note how a stream ended."""
        stream_ended(self.source, stream, error, self.logger)

    @override
    def keep_of_failed(self, stream: Stream) -> bool:
        """Keep what was protected in drafts: some of their rows may be sent."""
        return isinstance(stream, DraftStream) and stream.keep_protections()

    @override
    def close(self) -> None:
        """Stop all requests, and free the disk."""
        self.source.close()
        if self.drafts is not None:
            self.drafts.close()
