"""Certificates and proxies: what the environment says holds for the API and the file host alike."""

from __future__ import annotations

import gzip
import json
import logging
import ssl
from contextlib import ExitStack
from datetime import datetime, timezone
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
import trustme
from requests.adapters import BaseAdapter
from typing_extensions import override
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from tap_orgvue.orgvue.auth import NoCredentials
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    FileHostUnreachable,
    MalformedResponse,
    OrgvueError,
    Refusal,
)
from tap_orgvue.orgvue.request_log import RequestLog, RequestMeter
from tap_orgvue.orgvue.transport import Transport, iter_raw, read_start
from tap_orgvue.simulator import Orgvue
from tests.support.datasets import people
from tests.support.mocked_orgvue import PROBE
from tests.support.proxy import Proxy
from tests.support.runs import command, discover, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

API, FILES = "api.orgvue.test", "files.orgvue.test"
"""Names that nobody but the proxies here knows."""

PASSWORD = "Gr3en-H0rse"

Dates = tuple[datetime | None, datetime | None]
EVER: Dates = (None, None)
YEARS = [datetime(year, 1, 1, tzinfo=timezone.utc) for year in (2019, 2020, 2090, 2091)]


class Network:
    """Who serves, who stands between, and what the environment says of them.

    Attributes:
        ca: Who vouches for Orgvue's hosts.
        company_ca: Who vouches for what a company's proxy says.
        pem: Files of CAs: `orgvue`, `company`, `junk`, `missing`.
    """

    ca = trustme.CA(organization_name="Orgvue's CA")
    company_ca = trustme.CA(organization_name="The company's CA")

    def __init__(self, stack: ExitStack, patch: pytest.MonkeyPatch, folder: Path) -> None:
        """Begin with an environment that says nothing of networks."""
        self._stack = stack
        self._patch = patch
        self._ports: dict[str, int] = {}
        self.pem = {
            name: str(folder / f"{name}.pem") for name in ("orgvue", "company", "junk", "missing")
        }
        self.ca.cert_pem.write_to_path(self.pem["orgvue"])
        self.company_ca.cert_pem.write_to_path(self.pem["company"])
        (folder / "junk.pem").write_text("no certificate at all")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            patch.delenv(name, raising=False)

    def says(self, **variables: str) -> None:
        """Set variables; the name of a file of CAs stands for its path."""
        for name, value in variables.items():
            self._patch.setenv(name, self.pem.get(value, value))

    def certified(self, *names: str, valid: Dates = EVER) -> ssl.SSLContext:
        """A server's side of TLS, with a certificate in these names."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        begin, end = valid
        self.ca.issue_cert(*names, not_before=begin, not_after=end).configure_cert(context)
        return context

    def orgvue(self, *names: str, named: bool = False, valid: Dates = EVER) -> Orgvue:
        """People over TLS; `named` gives it names that only the proxies know."""
        names = names or ("localhost", "127.0.0.1", API, FILES)
        orgvue = self._stack.enter_context(
            Orgvue([people()], tls=self.certified(*names, valid=valid))
        )
        # No job has to be waited for.
        orgvue.job_status_word = "completed"
        for name, url in ((API, orgvue.api_url), (FILES, orgvue.files_url)):
            port = urlsplit(url).port or 0
            self._ports |= {f"{host}:{port}": port for host in ("localhost", "127.0.0.1")}
            self._ports[f"{name}:443"] = port
        if named:
            orgvue.api_url, orgvue.files_url = f"https://{API}", f"https://{FILES}"
        return orgvue

    def proxy(self, *, inspecting: bool = False, tls: ssl.SSLContext | None = None) -> Proxy:
        """A proxy; one that looks inside does so with the company's CA."""
        cas = (self.company_ca, self.ca) if inspecting else None
        proxy = self._stack.enter_context(Proxy(inspecting=cas, tls=tls))
        proxy.routes = self._ports
        return proxy


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Network]:
    """A network of this test's own."""
    with ExitStack() as stack:
        yield Network(stack, monkeypatch, tmp_path)


def asynchronously(orgvue: Orgvue, **more: object) -> dict[str, Any]:
    """A config whose runs ask both hosts."""
    return {**orgvue.config, "export_mode": "async", "max_retries": 0, **more}


BOTH = {f"{API}:443", f"{FILES}:443"}


# --- which way


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_both_hosts_are_asked_through_the_proxy(network: Network, variable: str) -> None:
    """The API and the file host, whose names are unknown here, are reached by the proxy alone."""
    orgvue, proxy = network.orgvue(named=True), network.proxy()
    orgvue.job_status_word, orgvue.job_polls = None, ("completed",)
    network.says(**{variable: proxy.url})
    network.says(REQUESTS_CA_BUNDLE="orgvue")
    run = sync(asynchronously(orgvue))
    assert len(run.records["people"]) == 5
    assert proxy.hosts == BOTH
    assert {"list", "job", "ticket", "result"} <= {request.route for request in orgvue.requests}


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_a_proxy_that_looks_inside(network: Network, variable: str) -> None:
    """With the company's CA, a proxy that ends TLS sees the token go to the API alone."""
    orgvue, proxy = network.orgvue(named=True), network.proxy(inspecting=True)
    network.says(HTTPS_PROXY=proxy.url.replace("://", f"://me:{PASSWORD}@"))
    network.says(**{variable: "company"})
    run = sync(asynchronously(orgvue))
    assert len(run.records["people"]) == 5
    assert f"Authorization: Bearer {orgvue.token}".encode() in proxy.seen[API]
    assert orgvue.token.encode() not in proxy.seen[FILES]
    assert b"authorization" not in proxy.seen[FILES].lower()
    # The proxy's own credentials go to the proxy, and through it to nobody.
    assert all(credentials for _, credentials in proxy.asked)
    assert b"Proxy-Authorization" not in proxy.seen[API] + proxy.seen[FILES]


def test_a_proxy_that_is_spoken_to_by_tls(network: Network) -> None:
    """A proxy with an https address gets its tunnels asked for by TLS, verified as well."""
    orgvue, proxy = network.orgvue(named=True), network.proxy(tls=network.certified("localhost"))
    network.says(HTTPS_PROXY=proxy.url)
    network.says(REQUESTS_CA_BUNDLE="company")
    with pytest.raises(ConnectionFailed, match="the proxy's own TLS certificate is not accepted"):
        discover(asynchronously(orgvue))
    assert proxy.asked == []
    network.says(REQUESTS_CA_BUNDLE="orgvue")
    assert len(sync(asynchronously(orgvue)).records["people"]) == 5
    assert proxy.hosts == BOTH


@pytest.mark.parametrize(
    "no_proxy,through",
    [
        ("", {"api", "files"}),
        ("elsewhere.test", {"api", "files"}),
        ("localhost", {"files"}),
        ("127.0.0.1", {"api"}),
        ("127.0.0.0/8", {"api"}),
        ("localhost, 127.0.0.1", set()),
        ("*", set()),
    ],
)
def test_no_proxy(network: Network, no_proxy: str, through: set[str]) -> None:
    """Hosts of NO_PROXY are asked without it, the others with it."""
    orgvue, proxy = network.orgvue(), network.proxy()
    orgvue.files_url = orgvue.files_url.replace("localhost", "127.0.0.1")
    hosts = {urlsplit(url).netloc: name for name, url in origins(orgvue).items()}
    network.says(HTTPS_PROXY=proxy.url)
    network.says(NO_PROXY=no_proxy)
    network.says(REQUESTS_CA_BUNDLE="orgvue")
    assert len(sync(asynchronously(orgvue)).records["people"]) == 5
    assert {hosts[target] for target in proxy.hosts} == through


def origins(orgvue: Orgvue) -> dict[str, str]:
    """The addresses of both hosts."""
    return {"api": orgvue.api_url, "files": orgvue.files_url}


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_simulator_is_asked_without_a_proxy(
    orgvue: Orgvue, network: Network, variable: str
) -> None:
    """Plain http, which is for this machine, goes through no proxy: it would see the token."""
    proxy = network.proxy()
    orgvue.job_status_word = "completed"
    network.says(**{variable: proxy.url})
    assert len(sync(asynchronously(orgvue)).records["people"]) == 5
    assert proxy.asked == []


def test_a_proxy_for_http_is_none_for_https(network: Network) -> None:
    """HTTP_PROXY alone changes nothing: everything goes by https, and directly."""
    orgvue, proxy = network.orgvue(), network.proxy()
    network.says(HTTP_PROXY=proxy.url)
    network.says(SSL_CERT_FILE="orgvue")
    assert len(sync(asynchronously(orgvue)).records["people"]) == 5
    assert proxy.asked == []


NO_HTTPS = (
    *("http://localhost:1/x", "http://files.orgvue.test/x", "ftp://files.orgvue.test/x"),
    *("HTTP://127.0.0.1/x", "//127.0.0.1/x", "/exports/x", "https://[/x", "https:///x"),
)


@pytest.mark.parametrize(
    "link,url", [*(("result", url) for url in NO_HTTPS), ("self", NO_HTTPS[0])]
)
def test_a_file_that_is_not_at_https_is_not_fetched(network: Network, url: str, link: str) -> None:
    """A ticket of a real server that leads to plain http, or nowhere, is an error."""
    orgvue = network.orgvue()
    network.says(SSL_CERT_FILE="orgvue")
    catalog = discover(orgvue.config)
    status = "created" if link == "self" else "completed"
    ticket = f'{{"jobStatus": "{status}", "_links": {{"{link}": {{"url": "{url}"}}}}}}'
    orgvue.answer(on="job", status=202, body=ticket.encode(), times=None)
    with pytest.raises(MalformedResponse, match="is not https; the tap does not follow it"):
        sync(asynchronously(orgvue), catalog)
    assert [request for request in orgvue.requests if request.origin == "files"] == []


def test_a_file_at_no_address_is_not_fetched(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    """A link that no request can be made of is an error that does not tell it."""
    orgvue = network.orgvue()
    network.says(SSL_CERT_FILE="orgvue")
    catalog = discover(orgvue.config)
    link = "https://*.files.test/x?X-Amz-Signature=0123456789abcdef"
    ticket = {"jobStatus": "completed", "_links": {"result": {"url": link}}}
    orgvue.answer(on="job", status=202, body=json.dumps(ticket).encode(), times=None)
    with pytest.raises(MalformedResponse, match="a link that is not a URL") as caught:
        sync(asynchronously(orgvue), catalog)
    assert "0123456789abcdef" not in f"{caught.value} {caplog.text}"


def test_a_simulators_files_are_on_this_machine(orgvue: Orgvue) -> None:
    """Even where the API is a simulator, plain http leads to no other machine."""
    catalog = discover(orgvue.config)
    orgvue.files_url = "http://files.orgvue.test"
    with pytest.raises(MalformedResponse, match="is not https; the tap does not follow it"):
        sync(asynchronously(orgvue), catalog)


# --- certificates


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_a_ca_by_variable(network: Network, variable: str) -> None:
    """Each variable that names CAs is heeded, for the API and the file host."""
    orgvue = network.orgvue()
    network.says(**{variable: "orgvue"})
    assert len(sync(asynchronously(orgvue)).records["people"]) == 5
    assert {request.origin for request in orgvue.requests} == {"api", "files"}


def test_the_first_variable_is_heeded(network: Network) -> None:
    """Where several name CAs, REQUESTS_CA_BUNDLE is heeded, as everywhere with `requests`."""
    orgvue = network.orgvue()
    network.says(REQUESTS_CA_BUNDLE="company")
    network.says(SSL_CERT_FILE="orgvue")
    with pytest.raises(ConnectionFailed, match="not accepted"):
        discover(orgvue.config)


CERTIFICATES: dict[str, tuple[str, str, Dates, str]] = {
    # whose CA is known, the certificate's name, its dates; what is told
    "of an unknown CA": ("company", "localhost", EVER, "set REQUESTS_CA_BUNDLE to a file with"),
    "out of date": ("orgvue", "localhost", (YEARS[0], YEARS[1]), "because it has expired"),
    "ahead of its time": ("orgvue", "localhost", (YEARS[2], YEARS[3]), "it is not valid yet"),
    "of another host": ("orgvue", "orgvue.example", EVER, "it is made for another host"),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_certificate_that_is_not_accepted(
    network: Network, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """It is told with what to do, asked once, and the token is not sent."""
    caplog.set_level(logging.INFO)
    known, name, valid, advice = CERTIFICATES[kind]
    orgvue = network.orgvue(name, valid=valid)
    network.says(SSL_CERT_FILE=known)
    with pytest.raises(ConnectionFailed) as caught:
        discover({**orgvue.config, "max_retries": 5})
    assert "at localhost failed: its TLS certificate is not accepted, because it" in str(
        caught.value
    )
    assert advice in str(caught.value)
    assert orgvue.requests == []
    assert "retrying in" not in caplog.text


def test_a_proxy_that_looks_inside_unknown(network: Network) -> None:
    """A proxy that ends TLS with a CA that is not known sees nothing of what would be sent."""
    orgvue, proxy = network.orgvue(named=True), network.proxy(inspecting=True)
    network.says(HTTPS_PROXY=proxy.url)
    network.says(REQUESTS_CA_BUNDLE="orgvue")
    with pytest.raises(ConnectionFailed, match="set REQUESTS_CA_BUNDLE to a file") as caught:
        discover(asynchronously(orgvue))
    assert f"through the proxy localhost:{proxy.port} failed" in str(caught.value)
    assert proxy.hosts == {f"{API}:443"}
    assert proxy.seen == {}
    assert orgvue.requests == []


@pytest.mark.parametrize("mode", ["async", "auto"])
def test_a_file_host_whose_certificate_is_not_accepted(
    network: Network, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    """It cannot be reached from here: an error, or where there is another way, that is taken."""
    orgvue = network.orgvue("localhost")
    caplog.set_level(logging.INFO)
    network.says(SSL_CERT_FILE="orgvue")
    catalog = discover(orgvue.config)
    orgvue.files_url = orgvue.files_url.replace("localhost", "127.0.0.1")
    orgvue.sync_limit_bytes = 900
    config = asynchronously(orgvue, export_mode=mode)
    if mode == "auto":
        assert len(sync(config, catalog).records["people"]) == 5
        assert "made for another address" in caplog.text
    else:
        with pytest.raises(FileHostUnreachable, match="made for another address"):
            sync(config, catalog)
    assert "retrying in" not in caplog.text
    assert [request for request in orgvue.requests if request.origin == "files"] == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize(
    "file,told", [("missing", "cannot be read (No such file"), ("junk", "holds no certificate")]
)
def test_a_ca_file_that_is_none(network: Network, variable: str, file: str, told: str) -> None:
    """A variable that names no CA file is told by its name, and nothing is sent."""
    orgvue = network.orgvue()
    network.says(**{variable: file})
    run = command(orgvue.config, "--test")
    assert run.code == 3
    [line] = [line for line in run.stdout.splitlines() if line.startswith("✗")]
    assert line.startswith(
        f"✗ TLS and proxy: {variable} is set to '{network.pem[file]}', which {told}"
    )
    assert orgvue.requests == []


def test_a_ca_file_is_not_looked_at_without_tls(orgvue: Orgvue, network: Network) -> None:
    """A simulator on this machine needs no certificates."""
    network.says(REQUESTS_CA_BUNDLE="missing")
    assert len(sync(orgvue.config).records["people"]) == 5


# --- proxies that do not let through

Trouble = tuple[str, str, int]
PROXIES: dict[str, Trouble] = {
    # (HTTPS_PROXY, where {port} is that of a proxy; what is told; how often it is asked)
    "407": ("http://me:{password}@localhost:{port}", "407: it wants a user name and a password", 1),
    "403": ("http://me:{password}@localhost:{port}", "403: it does not allow this host", 1),
    "301": ("http://me:{password}@localhost:{port}", "the proxy responded with 301", 1),
    "502": ("http://me:{password}@localhost:{port}", "the proxy responded with 502", 2),
    "hangs up": ("http://me:{password}@localhost:{port}", "the response broke off", 2),
    "is down": ("http://me:{password}@127.0.0.1:9", "the proxy cannot be reached", 2),
    "is unknown": ("http://me:{password}@proxy.invalid:3128", "the proxy cannot be reached", 2),
    "is none": ("http://me:{password}@localhost:port", "HTTPS_PROXY is not a proxy's address", 1),
    "has no host": ("http://", "HTTPS_PROXY is not a proxy's address", 1),
    "has no sense": ("http://[::", "HTTPS_PROXY is not a proxy's address", 1),
    "is for SOCKS": ("socks5://me:{password}@localhost:{port}", "is not a proxy's address", 1),
    "is for FTP": ("ftp://me:{password}@localhost:{port}", "is not a proxy's address", 1),
    "has no TLS": ("https://me:{password}@localhost:{port}", "the proxy speaks no TLS itself", 1),
}


@pytest.mark.parametrize("kind", PROXIES)
def test_a_proxy_that_does_not_let_through(
    network: Network, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """One sentence tells why, without the password; what may pass is asked again, once here."""
    orgvue, proxy = network.orgvue(named=True), network.proxy()
    proxy.refuses = int(kind) if kind.isdecimal() else None
    proxy.hangs_up = kind == "hangs up"
    address, told, tries = PROXIES[kind]
    url = address.format(password=PASSWORD, port=proxy.port)
    network.says(HTTPS_PROXY=url)
    network.says(REQUESTS_CA_BUNDLE="orgvue")
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConnectionFailed) as caught:
        discover({**orgvue.config, "max_retries": 1})
    sentence = str(caught.value)
    assert sentence.startswith(f"GET /api/v1/{orgvue.tenant_id}/datasets at {API}")
    assert told in sentence
    assert "\n" not in sentence
    assert PASSWORD not in sentence + caplog.text
    assert caplog.text.count("retrying in") == tries - 1
    assert orgvue.requests == []


@pytest.mark.parametrize("kind", ["407", "is down", "hangs up"])
def test_a_proxys_password_is_in_no_log(network: Network, kind: str) -> None:
    """With everything logged and tracebacks shown, neither it nor its encoded form is told."""
    orgvue, proxy = network.orgvue(named=True), network.proxy()
    proxy.refuses = int(kind) if kind.isdecimal() else None
    proxy.hangs_up = kind == "hangs up"
    url = PROXIES[kind][0].format(password=PASSWORD, port=proxy.port)
    network.says(HTTPS_PROXY=url, REQUESTS_CA_BUNDLE="orgvue", LOGLEVEL="DEBUG")
    run = command({**orgvue.config, "max_retries": 1})
    assert run.code == (3 if kind == "407" else 4)
    assert PROXIES[kind][1] in run.stderr
    assert "Traceback" in run.stderr
    assert PASSWORD not in run.stderr
    assert "bWU6" not in run.stderr  # `me:` in base64
    assert orgvue.token not in run.stderr


def test_a_password_is_hidden_where_it_could_be_shown(orgvue: Orgvue) -> None:
    """A database's or a proxy's address that some library logs is told without its password."""
    env = {"HTTPS_PROXY": f"http://me:{PASSWORD}@localhost:1", "LOGLEVEL": "DEBUG"}
    # The token's own address is refused without its value.
    run = command({**orgvue.config, "api_url": f"https://me:{PASSWORD}@h.test"}, env=env)
    assert run.code == 3
    assert "api_url: must not carry a user name or password." in run.stderr
    assert PASSWORD not in run.stderr


# --- the connection check


@pytest.mark.slow
def test_the_check_through_a_proxy(network: Network) -> None:
    """`--test` goes the way a run would, to both hosts."""
    orgvue, proxy = network.orgvue(named=True), network.proxy()
    network.says(HTTPS_PROXY=proxy.url, SSL_CERT_FILE="orgvue")
    run = command(orgvue.config, "--test")
    assert run.code == 0, run.stdout
    assert "✓ TLS and proxy: the server responds" in run.stdout
    assert proxy.hosts == BOTH


@pytest.mark.parametrize("refuses,bundle,told", [(407, "orgvue", "407"), (None, "company", "CA")])
def test_the_check_tells_what_a_network_lacks(
    network: Network, refuses: int | None, bundle: str, told: str
) -> None:
    """A proxy that refuses and a CA that is not known are told at their stage, once."""
    orgvue, proxy = network.orgvue(named=True), network.proxy()
    proxy.refuses = refuses
    network.says(HTTPS_PROXY=proxy.url, SSL_CERT_FILE=bundle)
    run = command(orgvue.config, "--test")
    assert run.code == 3
    [line] = [line for line in run.stdout.splitlines() if line.startswith("✗")]
    assert line.startswith("✗ TLS and proxy: GET / at ")
    assert told in line
    assert len(proxy.asked) == 1
    assert orgvue.requests == []


def test_names_that_are_not_known(network: Network) -> None:
    """Without the proxy those hosts cannot be reached: the tests above did not go around it."""
    with pytest.raises(OrgvueError, match=f"at {API} failed"):
        discover({**network.orgvue(named=True).config, "max_retries": 0})


# --- the transport alone


class Recorder(BaseAdapter):
    """Serves one body, and records how requests are sent.

    Attributes:
        sent: The keyword arguments of each request.
        closed: How often the adapter was closed.
    """

    def __init__(
        self, body: bytes = b"", status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Take the response."""
        super().__init__()
        self.body, self.status, self.headers = body, status, headers or {}
        self.sent: list[dict[str, Any]] = []
        self.requests: list[requests.PreparedRequest] = []
        self.closed = 0

    @override
    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self.requests.append(request)
        self.sent.append(options)
        response = requests.Response()
        response.status_code = self.status
        response.headers.update(self.headers)
        response.url, response.request = str(request.url), request
        response.raw = HTTPResponse(
            BytesIO(self.body), self.headers, preload_content=False, status=self.status
        )
        return response

    @override
    def close(self) -> None:
        self.closed += 1


def transport(adapter: BaseAdapter | None, timeout: float = 60) -> Transport:
    """A transport without credentials."""
    return Transport(
        NoCredentials(), user_agent="tap/1", timeout=timeout, max_connections=2, adapter=adapter
    )


def meter() -> RequestMeter:
    """Counts into nothing that is looked at."""
    return RequestLog().meter(PROBE)


@pytest.mark.parametrize("timeout,connect", [(300, 30), (5, 5)])
def test_timeouts(timeout: float, connect: float) -> None:
    """A connection must stand within 30 seconds, or within `request_timeout` if that is less."""
    adapter = Recorder()
    http = transport(adapter, timeout)
    with http.open(http.prepare("GET", "http://localhost/"), meter()):
        pass
    assert adapter.sent[0]["timeout"] == (connect, timeout)
    assert adapter.sent[0]["stream"] is True


def test_certificates_are_always_verified(network: Network) -> None:
    """Certificates are verified, with the CAs of `requests` if the environment names none."""
    adapter = Recorder()
    http = transport(adapter)
    network.says(HTTPS_PROXY="http://proxy.test:1")
    for url in ("http://localhost/", "https://files.test/"):
        with http.open(http.prepare("GET", url), meter()):
            pass
    assert [sent["verify"] for sent in adapter.sent] == [True, True]
    assert adapter.sent[0]["proxies"] == {}
    assert adapter.sent[1]["proxies"]["https"] == "http://proxy.test:1"


def test_a_folder_of_certificates(network: Network, tmp_path: Path) -> None:
    """A variable may name a folder, which OpenSSL reads later; the text stays as it is."""
    network.says(SSL_CERT_FILE=f"{tmp_path}/")
    adapter = Recorder()
    http = transport(adapter)
    with http.open(http.prepare("GET", "https://files.test/"), meter()):
        pass
    assert adapter.sent[0]["verify"] == f"{tmp_path}/"


def test_only_two_headers_by_default() -> None:
    """A request has the headers that it was given and the user agent, none of `requests`."""
    request = transport(None).prepare("GET", "https://files.test/", headers={"X-A": "b"})
    assert dict(request.headers) == {"User-Agent": "tap/1", "X-A": "b"}


def test_no_cookies() -> None:
    """A cookie of one response is in no later request."""
    adapter = Recorder(headers={"Set-Cookie": "a=b; Path=/"})
    http = transport(adapter)
    for _ in range(2):
        with http.open(http.prepare("GET", "https://files.test/"), meter()):
            pass
    assert "Cookie" not in adapter.requests[1].headers


@pytest.mark.parametrize("status,refused", [(200, False), (299, False), (300, True), (404, True)])
def test_statuses_from_300_are_refusals(status: int, refused: object) -> None:
    """Every status below 300 is a response, every other one a refusal, redirects included."""
    http = transport(Recorder(b'{"errors": [{"code": "4711"}]}', status))
    request = http.prepare("GET", "https://files.test/")
    if refused:
        with pytest.raises(Refusal, match="4711"), http.open(request, meter()):
            pass
    else:
        with http.open(request, meter()) as response:
            assert response.status_code == status


@pytest.mark.parametrize(
    "error", [ConnectionResetError(), TimeoutError(), ssl.SSLError(), ProtocolError("x")]
)
def test_errors_while_a_body_is_read(error: Exception) -> None:
    """A network error in the `with` block is a failed connection; any other error passes."""
    http = transport(Recorder())
    request = http.prepare("GET", "https://files.test/x?secret")
    with pytest.raises(ConnectionFailed, match="GET /x at") as caught, http.open(request, meter()):
        raise error
    assert "secret" not in str(caught.value)
    with pytest.raises(ZeroDivisionError), http.open(request, meter()):
        raise ZeroDivisionError


def test_a_link_that_is_not_a_url() -> None:
    """No request is made of an invalid URL, and the message does not show it."""
    with pytest.raises(MalformedResponse) as caught:
        transport(None).prepare("GET", "https://*.files.test/secret")
    assert "secret" not in str(caught.value)


def test_closing_closes_the_connections() -> None:
    """A closed transport closes its adapter, once for each scheme."""
    adapter = Recorder()
    transport(adapter).close()
    assert adapter.closed == 2


def test_the_start_of_a_body() -> None:
    """Of a long body the start is at most one chunk more than the limit."""
    chunk = 64 * 1024
    http = transport(Recorder(b"x" * 5 * chunk))
    for limit, expected in ((chunk * 9, chunk * 5), (chunk, chunk * 2), (chunk - 1, chunk)):
        with http.open(http.prepare("GET", "https://files.test/"), meter()) as response:
            assert len(read_start(response, limit)) == expected


def test_raw_chunks() -> None:
    """A body is given as it was sent, compressed, in chunks of the size that was asked for."""
    body = gzip.compress(b"abc" * 100)
    http = transport(Recorder(body, headers={"Content-Encoding": "gzip"}))
    with http.open(http.prepare("GET", "https://files.test/"), meter()) as response:
        chunks = list(iter_raw(response, 7))
    assert b"".join(chunks) == body
    assert {len(chunk) for chunk in chunks[:-1]} == {7}
