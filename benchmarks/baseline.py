"""The tap that the SDK's template leads to: a RESTStream, a JSONPath, and every SDK default.

What a developer would write first, and the yardstick: the whole answer is parsed, `rows` are found
by a JSONPath and zipped with the headers, and types, messages and flushing are left to the SDK.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.helpers.jsonpath import extract_jsonpath
from typing_extensions import override

from benchmarks.data import COLUMNS, TENANTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests
    from singer_sdk import Stream
    from singer_sdk.helpers.types import Auth, Record

_TYPES: dict[str, Any] = {
    "text": th.StringType,
    "number": th.NumberType,
    "date": th.DateType,
    "boolean": th.BooleanType,
}


class TemplateStream(RESTStream[Any]):
    """A dataset's export, its schema written down."""

    primary_keys = ("_id",)
    records_jsonpath = "$.rows[*]"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        *(th.Property(key, _TYPES[declared]) for key, declared in COLUMNS)
    ).to_dict()

    @property
    @override
    def url_base(self) -> str:
        """The tenant's part of the API."""
        return f"{self.config['api_url']}/api/v1/{self.config['tenant_id']}"

    @property
    @override
    def authenticator(self) -> Auth:
        """The bearer token."""
        return BearerTokenAuthenticator(token=self.config["api_token"])

    @override
    def parse_response(self, response: requests.Response) -> Iterator[Record]:
        """Parse the whole answer, then name each row's cells."""
        body = response.json(parse_float=Decimal)
        keys = [header["key"] for header in body["headers"]]
        for row in extract_jsonpath(self.records_jsonpath, input=body):
            yield dict(zip(keys, row, strict=True))


class TemplateTap(Tap):
    """A tap for one of the benchmarks' tenants."""

    name = "tap-template"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("api_token", th.StringType, required=True, secret=True),
        th.Property("tenant_id", th.StringType, required=True),
        th.Property("api_url", th.StringType, required=True),
    ).to_dict()

    @override
    def discover_streams(self) -> list[Stream]:
        """Name the streams, as the template does, without asking."""
        tenant = TENANTS[self.config["tenant_id"]]
        return [
            TemplateStream(
                self,
                name=tenant.dataset_name(number),
                path=f"/datasets/{dataset_id}/export/jsonRows",
            )
            for number, dataset_id in enumerate(tenant.dataset_ids)
        ]


if __name__ == "__main__":
    TemplateTap.cli()
