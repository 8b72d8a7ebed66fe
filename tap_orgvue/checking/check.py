"""Runs a check: stage by stage, with the plan and the assumptions beside the last stage."""

from __future__ import annotations

import logging
import time
from concurrent.futures import TimeoutError as StillRunning
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec.structs import replace

from tap_orgvue.checking import probes
from tap_orgvue.checking.assumptions import Evidence
from tap_orgvue.checking.connection import (
    JobOutcome,
    StageFailed,
    Stages,
    late,
    list_datasets,
    reach_server,
    run_job,
)
from tap_orgvue.checking.folders import (
    check_batch_root,
    check_report_folder,
    check_temp_dir,
)
from tap_orgvue.checking.headers import CheckedHeaders
from tap_orgvue.checking.plan import Plan
from tap_orgvue.checking.report import Access, CheckReport, StageReport, StageStatus
from tap_orgvue.checking.summary import (
    JOB_STAGE,
    PLAN_STAGE,
    STAGES,
    CapturedLog,
    compose,
)
from tap_orgvue.orgvue.auth import read_token_dates
from tap_orgvue.orgvue.deadlines import Deadline
from tap_orgvue.orgvue.errors import RUN_ENDING, DeadlineExceeded, OrgvueError
from tap_orgvue.orgvue.models import MODIFIED_AT, ExportMode
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.scrubbing import SCRUBBER
from tap_orgvue.singer.errors import BatchFileFailed
from tap_orgvue.streams.source import make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from tap_orgvue.checking.plan import CheckedTap
    from tap_orgvue.checking.report import StreamPlan
    from tap_orgvue.orgvue.models import Property

CHECK_SECONDS = 55
"""The time of the whole check; with the process's start and end it stays below a minute."""

_GRACE_SECONDS = 2
"""The extra time for steps that end with their last response."""

_RETRIES = 2
"""Retries of a check, which takes seconds; a run has more patience."""

_MODES_WITH_JOBS = {ExportMode.AUTO, ExportMode.ASYNC}
_THREADS = 6
_DATASETS_TRIED = 5
_BATCHES = "batch_config"

_ENDING = (*RUN_ENDING, DeadlineExceeded)
"""Errors that end the run or the check, not only one stream."""


class Check:
    """One check of a tap's settings, catalog and state."""

    def __init__(
        self, tap: CheckedTap, log: CapturedLog, show: Callable[[StageReport], None]
    ) -> None:
        """Request nothing yet.

        Args:
            tap: The tap, before its streams are discovered; it is read through the check's client.
            log: Takes the tap's warnings.
            show: Called with each stage as it ends, except for the last two.
        """
        self._tap = tap
        self._log = log
        self._show = show
        self._deadline = Deadline(CHECK_SECONDS, f"{CHECK_SECONDS} seconds", clock=time.monotonic)
        settings = replace(
            tap.settings,
            max_retries=min(tap.settings.max_retries, _RETRIES),
            # The check makes requests that a run does not make; see `Plan`.
            max_requests_per_run=None,
        )
        # Not the tap's logger: a retry of the check is not a warning about a run.
        logger = tap.logger.getChild("check")
        self._client = make_client(settings, logger, total_timeout=CHECK_SECONDS)
        self._headers = CheckedHeaders(
            self._client,
            tap.logger,
            self._deadline,
            include_calculations=settings.include_calculations,
        )
        # The streams of other tenants are gone from the state once it has been read.
        about_state = tap.source.earlier.warnings
        tap.use_source(self._client, self._headers)
        # As in a run, which reports skipped datasets as errors at its end.
        tap.source.discovery.skip_level = logging.WARNING
        self._plan = Plan(tap, self._headers, about_state)
        self._evidence = Evidence()
        self._stages: list[StageReport] = []
        self._ended: Exception | None = None
        self._failed: list[Exception] = []
        self._not_checked: list[str] = []
        self._job: JobOutcome | None = None
        self._pool = DaemonThreadPool(_THREADS)
        self._under_way: dict[str, Future[None]] = {}

    def run(self) -> CheckReport:
        """Go through the stages, for `CHECK_SECONDS` at most."""
        stages = Stages(self._deadline)
        try:
            self._connect(stages)
        except StageFailed as failed:
            self._fail(failed, ends=True)
            return self._report(())
        finally:
            stages.close()
        try:
            return self._examine()
        finally:
            self._pool.close()
            self._client.close()

    # -- the stages

    def _pass(self, stage: str, text: str) -> None:
        self._keep(StageReport(stage=stage, status=StageStatus.PASSED, text=SCRUBBER.line(text)))

    def _fail(self, failed: StageFailed, *, ends: bool) -> None:
        """Keep a failed stage.

        Args:
            failed: The stage and its error.
            ends: True if a run would end there; False if only streams would fail.
        """
        if ends:
            self._ended = failed.error
        else:
            self._failed.append(failed.error)
        text = SCRUBBER.line(str(failed.error))
        self._keep(StageReport(stage=failed.stage, status=StageStatus.FAILED, text=text))

    def _keep(self, report: StageReport) -> None:
        self._stages.append(report)
        self._show(report)

    @property
    def _with_jobs(self) -> bool:
        settings = self._tap.settings
        return settings.export_mode in _MODES_WITH_JOBS or bool(settings.linking_relationships)

    def _connect(self, stages: Stages) -> None:
        settings, discovery = self._tap.settings, self._tap.source.discovery
        host = urlsplit(settings.api_url).hostname
        self._pass("settings", f"tenant {settings.tenant_id} at {host}")
        self._pass("TLS and proxy", stages.run("TLS and proxy", lambda: reach_server(self._client)))
        stages.run("datasets", lambda: list_datasets(discovery))
        expires = read_token_dates(settings.api_token).expires
        self._pass("token", f"valid until {expires:%Y-%m-%d}" if expires else "accepted")
        self._pass("tenant", f"{settings.tenant_id} responds")
        if not discovery.has_catalog:
            stages.run("datasets", lambda: discovery.datasets)
        found = f"{len(discovery.listed)} are listed"
        if settings.datasets and not discovery.has_catalog:
            found += f", {len(discovery.datasets)} of them matched by `datasets`"
        if bad := discovery.bad_entries:
            found += f"; {len(bad)} cannot be read. {bad[0]}"
        self._pass("datasets", found)

    def _examine(self) -> CheckReport:
        """The later stages, the plan and the assumptions, all of them at once."""
        self._start(PLAN_STAGE, self._plan.make)
        self._start("list", lambda: probes.probe_list(self._client, self._evidence))
        if self._tap.settings.drafts:
            self._start("drafts", lambda: probes.probe_drafts(self._client, self._evidence))
        self._start(_BATCHES, self._check_batches)
        self._headers.first.wait(max(0, self._deadline.left()))
        sample = self._sample()
        if sample is not None:
            self._start_probes(*sample)
        try:
            self._columns(sample)
            if sample is not None and self._with_jobs:
                self._finish_job()
        except StageFailed as failed:
            self._fail(failed, ends=isinstance(failed.error, _ENDING))
        self._finish(PLAN_STAGE)
        if self._job is not None and self._job.error is not None:
            self._plan.without_jobs(self._job.error)
        self._check_folders()
        self._start("links", self._probe_linking)
        for name in list(self._under_way):
            if not self._finish(name) and name == _BATCHES:
                self._not_checked.append("batch_config: whether files can be written.")
        probes.examine_token(self._evidence, self._tap.settings.api_token)
        probes.examine_headers(self._evidence, [headers for _, headers in self._read_headers()])
        return self._report(self._plan.rows())

    def _read_headers(self) -> list[tuple[str, tuple[Property, ...]]]:
        """Dataset id and headers of each export whose headers are known by now."""
        found = list(self._headers.found.items())
        return [(key, headers) for key, headers in found if isinstance(headers, tuple)]

    def _sample(self) -> tuple[str, tuple[Property, ...]] | None:
        """A dataset that can be read, and its headers; None if none is known in time."""
        plan, known = self._plan, self._read_headers()
        has_failed = plan.ended or plan.failed or self._headers.late()
        if not known and plan.done.is_set() and not has_failed:
            # The run needs none: its streams are unchanged, or made of metadata.
            self._start("sample", self._read_a_sample)
            self._finish("sample")
        return next(iter(self._read_headers()), None)

    def _read_a_sample(self) -> None:
        for dataset in self._tap.source.discovery.listed[:_DATASETS_TRIED]:
            with suppress(OrgvueError):
                self._headers.read(dataset.dataset_id)
                return

    def _columns(self, sample: tuple[str, tuple[Property, ...]] | None) -> None:
        """Complete the stage `columns`, with the first dataset that can be read.

        Raises:
            StageFailed: No dataset can be read.
        """
        plan = self._plan
        if sample is None:
            if not plan.done.is_set():
                raise StageFailed("columns", late(self._deadline))
            error = plan.ended or next(iter(plan.failed.values()), None) or self._headers.late()
            if isinstance(error, OrgvueError):
                raise StageFailed("columns", error)
            return
        dataset_id, headers = sample
        stored: list[int] = []

        def count() -> None:
            with suppress(OrgvueError):
                stored.append(len(self._client.metadata(dataset_id).properties))

        self._start("stored", count)
        self._finish("stored")
        listed = self._tap.source.discovery.datasets_by_id.get(dataset_id)
        more = f", {stored[0]} of them stored" if stored else ""
        name = listed.name if listed else dataset_id
        self._pass("columns", f"{name!r} has {len(headers)}{more}")

    # -- concurrent steps

    def _start(self, name: str, work: Callable[[], None]) -> None:
        self._under_way[name] = self._pool.submit(work)

    def _finish(self, name: str) -> bool:
        """Wait for a step; False if it is not done in time."""
        try:
            # The last response may end a little after the deadline.
            self._under_way.pop(name).result(max(0, self._deadline.left() + _GRACE_SECONDS))
        except StillRunning:
            return False
        return True

    def _start_probes(self, dataset_id: str, headers: tuple[Property, ...]) -> None:
        client, evidence, settings = self._client, self._evidence, self._tap.settings
        if self._with_jobs:
            self._start(JOB_STAGE, lambda: self._run_job(dataset_id))
        with_modified_at = next(
            (
                each
                for each, found in self._read_headers()
                if any(header.key == MODIFIED_AT for header in found)
            ),
            None,
        )
        if settings.include_calculations:
            self._start(
                "exports",
                lambda: probes.probe_exports(
                    client, evidence, dataset_id, headers, with_modified_at
                ),
            )
        else:
            self._start("items", lambda: probes.probe_items(client, evidence, dataset_id))

    def _run_job(self, dataset_id: str) -> None:
        self._job = run_job(self._client, dataset_id, self._tap.settings.export_mode)
        probes.examine_job(self._evidence, self._job)

    def _finish_job(self) -> None:
        """Complete the stage of the export job.

        Raises:
            StageFailed: The job failed as it would fail a run, or is not done in time.
        """
        self._finish(JOB_STAGE)
        if self._job is None:
            raise StageFailed(JOB_STAGE, late(self._deadline))
        if self._job.error is not None and self._job.fails:
            raise StageFailed(JOB_STAGE, self._job.error)
        self._pass(JOB_STAGE, self._job.finding)

    def _probe_linking(self) -> None:
        settings = self._tap.settings
        for stream in self._plan.dataset_streams():
            table, dataset_id = settings.linking_relationships, stream.dataset_id
            if linking := settings.for_stream(table, stream.name, dataset_id):
                probes.probe_linking(self._client, self._evidence, dataset_id, linking)
                return

    def _check_batches(self) -> None:
        if batches := self._tap.config.get("batch_config"):
            try:
                check_batch_root(batches)
            except BatchFileFailed as error:
                self._failed.append(error)

    def _check_folders(self) -> None:
        settings = self._tap.settings
        if self._plan.dataset_streams():
            try:
                check_temp_dir(settings.temp_dir)
            except OrgvueError as error:
                self._failed.append(error)
        if settings.run_report and (warning := check_report_folder(settings.run_report)):
            self._plan.warnings.append(warning)

    # -- the report

    def _report(self, streams: Sequence[StreamPlan]) -> CheckReport:
        """The report; stages that were not reached are added first."""
        plan = self._plan
        known = {report.stage for report in self._stages}
        for stage in (*STAGES, *([JOB_STAGE] if self._with_jobs else ())):
            if stage not in known:
                self._keep(StageReport(stage=stage, status=StageStatus.NOT_CHECKED))
        return compose(
            tenant_id=self._tap.settings.tenant_id,
            stages=self._stages,
            streams=streams,
            drafts=plan.drafts,
            ended=self._ended or plan.ended,
            failed=[*self._failed, *plan.failed.values()],
            warnings=[*self._log.warnings, *plan.warnings],
            not_checked=[*self._not_checked, *self._late(streams)],
            assumptions=self._evidence.report(),
        )

    def _late(self, streams: Sequence[StreamPlan]) -> Iterator[str]:
        late = [
            each.stream for each in streams if each.selected and each.readable is Access.NOT_CHECKED
        ]
        if late:
            yield f"{len(late)} streams: {', '.join(late)}."
        if self._headers.not_reached:
            yield "Settings that name streams and properties: some of these were not reached."
