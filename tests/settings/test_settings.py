"""Settings: what is accepted, what each mistake is told as, and that nothing is asked before."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.settings.regions import REGIONS
from tap_orgvue.settings.settings import SETTINGS_SCHEMA, Settings
from tap_orgvue.tap import TapOrgvue
from tests.support.runs import command, discover, sync

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

TOKEN = "eyJhbGciOiJub25lIn0.c2VjcmV0.QUJDREVG"
GOOD: dict[str, Any] = {"api_token": TOKEN, "tenant_id": "ACME", "region": "eu-west"}


def read(**changed: Any) -> Settings:
    """Read good settings with some of them changed; None leaves one out."""
    return Settings.from_config({**GOOD, **changed}, TapOrgvue.config_jsonschema)


def mistakes(**changed: Any) -> list[str]:
    """What is said of good settings with some of them changed."""
    with pytest.raises(SettingsError) as caught:
        read(**changed)
    return caught.value.mistakes


@pytest.mark.parametrize(
    "region,host",
    [
        ("eu-west", "orgvue.eu-west-1"),
        ("us-east", "orgvue.us-east-1"),
        ("ap-southeast", "orgvue.ap-southeast-2"),
        ("eu-west-staging", "orgvue-staging.eu-west-1"),
        ("us-east-staging", "orgvue-staging.us-east-1"),
        ("ap-southeast-staging", "orgvue-staging.ap-southeast-2"),
    ],
)
def test_each_region_has_its_server(region: str, host: str) -> None:
    """Each documented region leads to its documented server."""
    assert read(region=region).api_url == f"https://{host}.concentra.io"


def test_the_regions_are_all_that_are_documented() -> None:
    """The setting offers the six regions and no other."""
    assert len(REGIONS) == 6
    assert SETTINGS_SCHEMA["properties"]["region"]["enum"][:6] == list(REGIONS)


def test_defaults() -> None:
    """What is not set has its documented default."""
    settings = read()
    assert settings.datasets == ()
    assert settings.stream_names == {}
    assert settings.original_columns is False
    assert settings.start_date is None
    assert settings.user_agent.startswith("tap-orgvue/")
    assert settings.request_timeout == 300
    assert settings.max_parallel_requests == 8


NUMBERS = [
    ("request_timeout", 300, 1, 31_536_000),
    ("max_parallel_requests", 8, 1, 50),
    ("max_retries", 6, 0, 100),
    ("max_retry_wait", 900, 1, 31_536_000),
    ("max_requests_per_run", None, 1, None),
    ("max_requests_per_second", 90, 1, 100),
    ("job_timeout", 3600, 1, 31_536_000),
    ("delete_guard_percent", 50, 0, 100),
    ("max_unchanged_days", 7, 1, 36_500),
    ("row_change_warn_percent", 25, 0, 1000),
    ("run_report_keep", 90, 1, 100_000),
]
"""Settings that are numbers: name, default, and the least and the greatest value."""


@pytest.mark.parametrize("name,default,least,greatest", NUMBERS)
def test_a_number_has_bounds(
    name: str, default: int | None, least: int, greatest: int | None
) -> None:
    """Both bounds are accepted, and what is beyond them is told with the setting's name."""
    beside = {"run_report": "reports"} if name == "run_report_keep" else {}
    assert getattr(read(), name) == default
    for accepted in {least, greatest} - {None}:
        assert getattr(read(**beside, **{name: accepted}), name) == accepted
    for refused in {least - 1, greatest and greatest + 1} - {None}:
        assert [line.partition(":")[0] for line in mistakes(**beside, **{name: refused})] == [name]


def test_all_numbers_and_switches_are_looked_at() -> None:
    """The bounds and defaults above and below are those of all settings."""
    # The SDK adds its own to the schema.
    ours = {name: SETTINGS_SCHEMA["properties"][name] for name in Settings.__struct_fields__}
    kinds = {name: declared["type"][0] for name, declared in ours.items()}
    assert {name for name, kind in kinds.items() if kind == "integer"} == {
        row[0] for row in NUMBERS
    }
    switches = {name: getattr(read(), name) for name, kind in kinds.items() if kind == "boolean"}
    assert switches == {
        "include_calculations": True,
        "rescue_data": True,
        "emit_activate_version_messages": False,
        "skip_unchanged": False,
    }
    secrets = {name for name, declared in ours.items() if declared.get("secret")}
    assert secrets == {"api_token", "hash_key"}


@pytest.mark.parametrize(
    "url,kept",
    [
        ("https://orgvue.example", "https://orgvue.example"),
        ("https://orgvue.example/", "https://orgvue.example"),
        ("https://orgvue.example:8443", "https://orgvue.example:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_api_url_overrides_the_region(url: str, kept: str) -> None:
    """`api_url` wins over `region`; plain http is accepted for loopback addresses."""
    assert read(api_url=url).api_url == kept
    assert read(api_url=url, region=None).api_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://orgvue.example",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "ftp://orgvue.example",
        "orgvue.example",
        "https://",
        "https://user:secret@orgvue.example",
        "https://orgvue.example/api/v1",
        "https://orgvue.example?x=1",
        "https://orgvue.example:notaport",
        "https://[::1",
        "",
    ],
)
def test_an_api_url_that_is_not_accepted(url: str) -> None:
    """Anything but https and a host, or http to loopback, is one line that names `api_url`."""
    lines = mistakes(api_url=url, region=None)
    assert len(lines) == 1
    assert lines[0].startswith(("api_url: ", "region: "))
    assert "api_url" in lines[0]
    assert "secret" not in lines[0]


@pytest.mark.parametrize(
    "changed,setting",
    [
        ({"api_token": None}, "api_token"),
        ({"api_token": ""}, "api_token"),
        ({"api_token": "two words"}, "api_token"),
        ({"api_token": "tök\u200ben"}, "api_token"),
        ({"api_token": 5}, "api_token"),
        ({"tenant_id": None}, "tenant_id"),
        ({"tenant_id": "acme"}, "tenant_id"),
        ({"tenant_id": "1ACME"}, "tenant_id"),
        ({"tenant_id": "A" * 31}, "tenant_id"),
        ({"tenant_id": "AC ME"}, "tenant_id"),
        ({"region": None}, "region"),
        ({"region": "mars"}, "region"),
        ({"datasets": "People"}, "datasets"),
        ({"datasets": [1]}, "datasets"),
        ({"stream_names": {"not-an-id": "people"}}, "stream_names"),
        ({"stream_names": {"0B530000-0000-4000-8000-000000000001": "org-design"}}, "stream_names"),
        ({"stream_names": {"0B530000-0000-4000-8000-000000000001": "x" * 64}}, "stream_names"),
        ({"stream_names": {"0B530000-0000-4000-8000-000000000001": ""}}, "stream_names"),
        ({"stream_names": []}, "stream_names"),
        ({"column_names": "camelCase"}, "column_names"),
        ({"property_names": {"people": {"Bonus %": "bonus-pct"}}}, "property_names"),
        ({"property_names": {"people": {"a": "pay", "b": "Pay"}}}, "property_names"),
        ({"property_names": {"people": "pay"}}, "property_names"),
        ({"property_names": {"people": {"a": 1}}}, "property_names"),
        ({"missing_streams": "ignore"}, "missing_streams"),
        ({"unmatched_patterns": "ignore"}, "unmatched_patterns"),
        ({"retired_streams": "people"}, "retired_streams"),
        ({"max_retry_wait": 0}, "max_retry_wait"),
        ({"user_agent": "two\nlines"}, "user_agent"),
        ({"user_agent": 1}, "user_agent"),
        ({"request_timeout": 0}, "request_timeout"),
        ({"request_timeout": "soon"}, "request_timeout"),
        ({"request_timeout": 1.5}, "request_timeout"),
        ({"max_parallel_requests": 0}, "max_parallel_requests"),
        ({"max_parallel_requests": 51}, "max_parallel_requests"),
        ({"start_date": "yesterday"}, "start_date"),
        ({"start_date": "2022-13-01T00:00:00Z"}, "start_date"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_setting(
    changed: dict[str, Any], setting: str
) -> None:
    """Each mistake is told in one line that begins with the setting's name."""
    lines = mistakes(**changed)
    assert len(lines) == 1
    assert lines[0].startswith((f"{setting}:", f"{setting}."))
    assert "\n" not in lines[0]


def test_two_datasets_cannot_be_pinned_to_one_stream() -> None:
    """Two pins of the same name, in whatever case, are a mistake of `stream_names`."""
    lines = mistakes(
        stream_names={
            "0B530000-0000-4000-8000-000000000001": "people",
            "0B530000-0000-4000-8000-000000000002": "People",
        }
    )
    assert len(lines) == 1
    assert lines[0].startswith("stream_names")


def test_the_tap_s_own_streams_cannot_be_pinned_over() -> None:
    """A dataset cannot be pinned to the name of one of the tap's two descriptive streams."""
    lines = mistakes(stream_names={"0B530000-0000-4000-8000-000000000001": "orgvue_datasets"})
    assert lines[0].startswith("stream_names")


def test_every_mistake_is_reported_at_once() -> None:
    """Several mistakes are several lines, so that nobody has to mend one after another."""
    lines = mistakes(api_token=None, tenant_id="acme", region="mars", request_timeout=0)
    assert [line.partition(":")[0] for line in lines] == [
        "api_token",
        "region",
        "request_timeout",
        "tenant_id",
    ]


@pytest.mark.parametrize("pasted", [f" {TOKEN}\n", f"Bearer {TOKEN}", f"Bearer  {TOKEN} "])
def test_what_is_often_pasted_with_a_token_is_taken_off(pasted: str) -> None:
    """A token pasted with its scheme or with white space around it is the same token."""
    assert read(api_token=pasted).api_token == TOKEN


@pytest.mark.parametrize("number", [30, 30.0, Decimal(30), Decimal("30.0")])
def test_whole_numbers_in_any_notation(number: object) -> None:
    """A whole number is accepted however a config file's reader represents it."""
    settings = read(request_timeout=number, max_parallel_requests=number)
    assert settings.request_timeout == 30
    assert settings.max_parallel_requests == 30
    assert isinstance(settings.request_timeout, int)


def test_settings_cannot_be_changed_or_shown_with_their_secrets() -> None:
    """Settings are frozen, and their representation is without the token."""
    settings = read(hash_key="long enough for a key")
    with pytest.raises(AttributeError):
        settings.tenant_id = "OTHER"  # type: ignore[misc]
    assert TOKEN not in repr(settings)
    assert "long enough" not in repr(settings)


def test_pins_are_by_id_in_any_case() -> None:
    """`stream_names` finds its dataset whichever case the id is written in."""
    settings = read(stream_names={"0b530000-0000-4000-8000-000000000001": "people"})
    assert settings.stream_names == {"0B530000-0000-4000-8000-000000000001": "people"}


def test_dataset_ids_count_in_any_case() -> None:
    """A setting that is keyed by stream name or dataset id finds the id in upper case."""
    dataset_id = "0b530000-0000-4000-8000-00000000000a"
    settings = read(
        filters={dataset_id: {"x": 1}, "people": {"x": 2}},
        linking_relationships={dataset_id: [dataset_id]},
        property_names={dataset_id: {"Bonus %": "bonus_pct"}},
        retired_streams=[dataset_id, "people"],
    )
    upper = dataset_id.upper()
    assert settings.filters == {upper: {"x": 1}, "people": {"x": 2}}
    assert list(settings.linking_relationships) == [upper]
    assert settings.property_names == {upper: {"Bonus %": "bonus_pct"}}
    assert settings.retired_streams == (upper, "people")
    assert settings.for_stream(settings.filters, "staff", dataset_id) == {"x": 1}
    assert settings.for_stream(settings.filters, "people", dataset_id) == {"x": 2}
    assert settings.for_stream(settings.filters, "staff", "other") is None


@pytest.mark.parametrize("given", ["2022-01-02", "2022-01-02T00:00:00Z", "2022-01-02T01:00+01:00"])
def test_a_start_date_is_an_instant(given: str) -> None:
    """`start_date` may be a date or a date and time, and is an instant with its zone."""
    start = read(start_date=given).start_date
    assert start is not None
    assert start.isoformat() == "2022-01-02T00:00:00+00:00"


def test_every_setting_is_explained() -> None:
    """Each setting has a title and a description, and the secrets are marked as such."""
    for name, declared in SETTINGS_SCHEMA["properties"].items():
        assert declared.get("title"), name
        assert declared.get("description"), name
    assert SETTINGS_SCHEMA["properties"]["api_token"]["secret"] is True
    # The value is printed when one of these fails.
    assert not {"pattern", "enum"} & set(SETTINGS_SCHEMA["properties"]["api_token"])


def test_the_tap_tells_of_mistakes_before_it_asks_anything(orgvue: Orgvue) -> None:
    """Wrong settings end the tap's construction with a line for each, and no request is made."""
    config = {**orgvue.config, "tenant_id": "demo", "request_timeout": -1}
    for attempt in (discover, sync):
        with pytest.raises(SettingsError) as caught:
            attempt(config)
        assert [line.partition(":")[0] for line in caught.value.mistakes] == [
            "request_timeout",
            "tenant_id",
        ]
    assert orgvue.requests == []


@pytest.mark.parametrize("option", ["--discover", "--test", ""])
def test_the_command_ends_with_the_mistakes(orgvue: Orgvue, option: str) -> None:
    """The command names each setting, ends with an error, shows no traceback and asks nothing.

    A check tells them as its first stage, on standard output.
    """
    config = {"api_url": orgvue.api_url, "tenant_id": "demo", "api_token": f"{TOKEN} {TOKEN}"}
    run = command(config, *([option] if option else []))
    is_check = option == "--test"
    assert run.code != 0
    assert bool(run.stdout) is is_check
    assert "Traceback" not in run.stderr
    assert TOKEN not in run.stderr + run.stdout
    lines = (run.stdout if is_check else run.stderr).splitlines()
    for setting in ("tenant_id: ", "api_token: "):
        mark = "✗ settings: " if is_check else "| "
        assert len([line for line in lines if f"{mark}{setting}" in line]) == 1
    assert orgvue.requests == []


def test_a_token_of_the_wrong_type_is_not_printed() -> None:
    """A token that is no text is refused without being shown."""
    run = command({**GOOD, "api_token": [TOKEN]}, "--discover")
    assert run.code != 0
    assert "api_token: " in run.stderr
    assert TOKEN not in run.stdout + run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "name,given,read_as",
    [
        ("property_types", {"p.Employee ID": "text"}, {"p.Employee ID": "text"}),
        ("property_types", {"p": {"Employee ID": "text"}}, {"p.Employee ID": "text"}),
        (
            "property_types",
            {"p": {"a": {"b": "date"}}, "*": "text"},
            {"p.a.b": "date", "*": "text"},
        ),
        ("property_names", {"p": {"a.b": "c"}}, {"p": {"a.b": "c"}}),
        ("property_names", {"p": {"a": {"b": "c"}}}, {"p": {"a.b": "c"}}),
        ("filters", {"p": {"a.b": {"$in": [1]}}}, {"p": {"a.b": {"$in": [1]}}}),
        ("filters", {"p": {"a": {"b": {"$in": [1]}}}}, {"p": {"a.b": {"$in": [1]}}}),
        ("filters", {"p": {"a": {"b": {"c": {"$gt": 1}}}}}, {"p": {"a.b.c": {"$gt": 1}}}),
    ],
)
def test_keys_with_dots_survive_meltano(
    name: str, given: dict[str, Any], read_as: dict[str, Any]
) -> None:
    """Meltano makes `{"a": {"b": …}}` of `{"a.b": …}`; both are read as one key."""
    assert getattr(read(**{name: given}), name) == read_as


def test_objects_that_are_no_cut_keys_stay_mistakes() -> None:
    """An operator without its sign, or an object with nothing in it, is told as before."""
    assert mistakes(filters={"p": {"a": {"gt": 1}}}) == [
        "filters: for 'p': 'gt' is not one of $gt, $gte, $in, $lt, $lte, $ne, $nin."
    ]
    assert mistakes(property_types={"p": {}}) == [
        "property_types: for 'p': must be one of text, number, boolean, date, date-time."
    ]
