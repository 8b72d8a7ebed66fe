"""The command `tap-orgvue-report`: writes the pages of run reports, or of a tenant."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tap_orgvue import __version__
from tap_orgvue.pages.after_run import NOT_INSTALLED, is_installed
from tap_orgvue.scrubbing import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

_PERSON_NEEDED = 3
"""As in `exit_codes`, whose import takes most of a second."""
_ENVIRONMENT = "ENV"


class CannotReport(click.ClickException):
    """No page can be made, and a person is needed."""

    exit_code = _PERSON_NEEDED


@click.command(
    help="Writes HTML pages. With FOLDER: for each tenant, report-<tenant>.html beside the "
    "run reports in that folder. With --tenant: requests the datasets of the tenant, with the "
    "settings of a run, and writes tenant-<tenant>.html."
)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--tenant", is_flag=True, help="Write the page of the tenant.")
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="FILE|ENV",
    help="Settings for --tenant, as tap-orgvue takes them; ENV is the environment.",
)
@click.option("--catalog", metavar="FILE", help="The catalog that a run is given.")
@click.option("--state", metavar="FILE", help="The state that a run is given.")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="Where the page of the tenant is written to; by default the folder of the setting "
    "`run_report`, else the current one.",
)
@click.version_option(__version__, prog_name="tap-orgvue-report", message="%(prog)s %(version)s")
def command(  # noqa: PLR0913 - the options
    *,
    folder: Path | None,
    tenant: bool,
    configs: Sequence[str],
    catalog: str | None,
    state: str | None,
    into: Path | None,
) -> None:
    """Write pages, and print where they are."""
    given = [name for name, value in _given(configs, catalog, state, into) if value]
    if tenant and folder is not None:
        raise click.UsageError("Give a FOLDER or --tenant, not both.")
    if tenant and not configs:
        raise click.UsageError("--tenant needs --config.")
    if not tenant and given:
        raise click.UsageError(f"{given[0]} is for --tenant.")
    if not tenant and folder is None:
        raise click.UsageError("Give the FOLDER of run reports, or --tenant.")
    if not is_installed():
        raise CannotReport(f"No page is made: {NOT_INSTALLED}")
    try:
        pages = _tenant_page(configs, catalog, state, into) if tenant else _report_pages(folder)
    except OSError as error:
        raise CannotReport(f"{error.filename or 'The page'}: {error.strerror or error}") from None
    for page in pages:
        click.echo(str(page))


def _given(*values: object) -> list[tuple[str, object]]:
    return list(zip(("--config", "--catalog", "--state", "--into"), values, strict=True))


def _report_pages(folder: Path | None) -> list[Path]:
    """Write the pages of the run reports in a folder."""
    # Without the extra, none of this can be imported.
    from tap_orgvue.pages.report_page import write_report_pages  # noqa: PLC0415
    from tap_orgvue.pages.run_reports import read_reports  # noqa: PLC0415

    if folder is None or not folder.is_dir():
        raise click.UsageError(f"{folder} is not a folder.")
    reports = read_reports(folder)
    for each in reports.unreadable:
        _warn(f"{each.name} {each.reason}. It is skipped.")
    pages = write_report_pages(folder, reports)
    if not pages:
        raise CannotReport(
            f"{folder} has no run report that can be read. A run writes one there if its setting "
            "`run_report` names the folder."
        )
    return pages


def _tenant_page(
    configs: Sequence[str], catalog: str | None, state: str | None, into: Path | None
) -> list[Path]:
    """Request a tenant's datasets, and write its page."""
    # The tap takes most of a second to import.
    from tap_orgvue.orgvue.errors import OrgvueError  # noqa: PLC0415
    from tap_orgvue.pages.tenant_page import write_tenant_page  # noqa: PLC0415
    from tap_orgvue.settings import SettingsError  # noqa: PLC0415
    from tap_orgvue.settings.catalog import checked_catalog  # noqa: PLC0415
    from tap_orgvue.settings.files import read_json_object, read_last_json_object  # noqa: PLC0415
    from tap_orgvue.settings.loading import read_configs  # noqa: PLC0415
    from tap_orgvue.tap import TapOrgvue  # noqa: PLC0415

    try:
        tap = TapOrgvue(
            config=read_configs([each for each in configs if each != _ENVIRONMENT]),
            parse_env_config=_ENVIRONMENT in configs,
            catalog=_read(catalog, lambda file: checked_catalog(read_json_object("catalog", file))),
            state=_read(state, lambda file: read_last_json_object("state", file)),
            setup_mapper=False,
        )
        folder = into or Path(tap.settings.run_report or ".")
        try:
            page = write_tenant_page(
                tap.source,
                tap.input_catalog,
                folder,
                now=datetime.now(timezone.utc),
                has_maps=bool(
                    tap.config.get("stream_maps") or tap.config.get("flattening_enabled")
                ),
            )
        finally:
            tap.close()
    except SettingsError as error:
        raise CannotReport("\n".join(error.mistakes)) from None
    except OrgvueError as error:
        raise CannotReport(str(error)) from None
    return [page]


def _read(path: str | None, read: Any) -> Any:
    if path is None:
        return None
    with Path(path).open(encoding="utf-8") as file:
        return read(file)


def _warn(text: str) -> None:
    click.echo(escaped(text), err=True)


def main() -> None:
    """Run the command line."""
    sys.exit(command(prog_name="tap-orgvue-report"))


if __name__ == "__main__":
    main()
