"""What strangers and the wrong people try at the page's own process: refused, and audited."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spektron_edge.command_names import COMMANDS
from spektron_edge.page.certificate import make
from spektron_edge.page.endpoints import ENDPOINTS
from spektron_edge.page.link import MOST_STREAMS
from spektron_edge.page.listening import MOST_OF_ONE
from spektron_edge.page.patient import MOST_CONNECTIONS
from spektron_edge.roles import ROLES, may
from tests.integration.page_process import API, PASSWORD, Answer, PageProcess, page_process
from tests.integration.rig import until

JSON = "application/json"


@contextlib.contextmanager
def _served(folder: Path, **settings: object) -> Iterator[PageProcess]:
    page = page_process(folder, **settings)
    page.start()
    try:
        yield page
        # Whatever was tried, it still answers, and ends in order.
        assert page.ask("GET", f"{API}/session").status == 200
        assert page.stop() == 0
    finally:
        if page.running:
            page.stop()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    with _served(tmp_path_factory.mktemp("page")) as page:
        yield page


@pytest.fixture
def own_page(tmp_path: Path) -> Iterator[PageProcess]:
    """For what would get in the way of others: floods, guesses."""
    with _served(tmp_path) as page:
        yield page


def _audited(page: PageProcess, error: str, who: str | None = None) -> None:
    def found() -> bool:
        return any(line["error"] == error and who in (None, line["who"]) for line in page.refusals)

    until(found, f"an audit line of {error}")


def _example(path: str) -> str:
    return API + re.sub(r"\{[a-z_]+\}", "1", path.replace("/commands/{name}", "/commands/reload"))


GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.role is not None]
ABOVE = [
    (endpoint, role)
    for endpoint in GUARDED
    for role in ROLES
    if ROLES.index(role) < ROLES.index(endpoint.role or "viewer")
]
FORBIDDEN = [(name, role) for role in ROLES for name in COMMANDS if not may(role, name, {})]


@pytest.mark.parametrize("endpoint", GUARDED, ids=lambda e: f"{e.method} {e.path}")
def test_nobody_gets_anything_without_a_login(page, endpoint):
    for headers in ({}, {"Cookie": "spektron-session=forged"}):
        answer = page.ask(endpoint.method, _example(endpoint.path), headers)
        assert (answer.status, answer.error) == (401, "sign_in")
    _audited(page, "sign_in", "nobody")


@pytest.mark.parametrize(("endpoint", "role"), ABOVE)
def test_a_lower_role_gets_nothing_of_a_higher_one(page, endpoint, role):
    answer = page.browser(role).ask(endpoint.method, _example(endpoint.path)[len(API) :])
    assert (answer.status, answer.error) == (403, "role")
    _audited(page, "role")


@pytest.mark.parametrize(("name", "role"), FORBIDDEN)
def test_a_lower_role_may_not_send_a_command_of_a_higher_one(page, name, role):
    answer = page.browser(role).ask("POST", f"/commands/{name}", {})
    assert (answer.status, answer.error) == (403, "role")
    _audited(page, "role")


def test_every_command_but_the_harmless_ones_is_forbidden_to_somebody():
    assert {name for name, role in FORBIDDEN if role == "viewer"} == set(COMMANDS) - {
        "health",
        "transfer-status",
        "transfer-list",
        "adapt-status",
        "adapt-list",
    }


def _with(**headers: str) -> Callable[[PageProcess], Answer]:
    return lambda page: page.browser("engineer").ask("POST", "/commands/health", {}, **headers)


def _posted(body: bytes, **headers: str) -> Callable[[PageProcess], Answer]:
    def attack(page: PageProcess) -> Answer:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return page.ask("POST", f"{API}/session", {"Content-Type": JSON, **more}, body)

    return attack


def _got(path: str, **headers: str) -> Callable[[PageProcess], Answer]:
    return lambda page: page.ask("GET", path, headers)


def _downloaded(path: str) -> Callable[[PageProcess], Answer]:
    return lambda page: page.browser("engineer").ask("GET", path)


def _foreign_token(page: PageProcess) -> Answer:
    token = page.browser("viewer").headers["X-CSRF-Token"]
    return page.browser("engineer").ask("POST", "/commands/health", {}, X_CSRF_Token=token)


def _as_form(page: PageProcess) -> Answer:
    headers = {**page.browser("engineer").headers, "Content-Type": "text/plain"}
    return page.ask("POST", f"{API}/commands/health", headers, b'{"arguments":{}}')


ATTACKS: dict[str, tuple[Callable[[PageProcess], Answer], tuple[int, str]]] = {
    "csrf: no token": (_with(X_CSRF_Token=""), (403, "csrf")),
    "csrf: somebody else's token": (_foreign_token, (403, "csrf")),
    "csrf: foreign origin": (_with(Origin="http://evil.example"), (403, "origin")),
    "csrf: origin of a sandbox": (_with(Origin="null"), (403, "origin")),
    "csrf: another port": (_with(Origin="http://127.0.0.1:1"), (403, "origin")),
    "csrf: fetch metadata": (_with(Sec_Fetch_Site="cross-site"), (403, "origin")),
    "csrf: a form's media type": (_as_form, (415, "media_type")),
    "login from another site": (_posted(b"{}", Origin="http://evil.example"), (403, "origin")),
    "path: dots": (_got("/../../../../etc/passwd"), (404, "not_found")),
    "path: encoded": (_got("/%2e%2e/%2e%2e/%2e%2e/etc/passwd"), (404, "not_found")),
    "path: encoded twice": (_got("/..%252f..%252fspektron.toml"), (404, "not_found")),
    "path: slashes": (_got("//etc/passwd"), (404, "not_found")),
    "path: backslashes": (_got("/..\\..\\spektron.toml"), (404, "not_found")),
    "path: a zero byte": (_got("/index.html%00.js"), (404, "not_found")),
    "path: users' hashes": (_got("/state/page/users.json"), (404, "not_found")),
    "path: a download": (_downloaded("/spectra/..%2f..%2fusers.json.jdx"), (404, "not_found")),
    "path: a download by backslashes": (
        _downloaded("/spectra/..\\..\\users.json.jdx"),
        (404, "not_found"),
    ),
    "path: an adaptation": (_downloaded("/adaptation/..%2e"), (404, "not_found")),
    "method: TRACE": (lambda page: page.ask("TRACE", "/"), (405, "method")),
    "method: PUT": (lambda page: page.ask("PUT", f"{API}/now"), (405, "method")),
    "body: too long": (_posted(b"x" * 70_000), (413, "too_large")),
    "body: says it is": (_posted(b"{}", Content_Length="99999999999"), (413, "too_large")),
    "body: chunked": (
        _posted(b"11170\r\n" + b"x" * 70_000 + b"\r\n0\r\n\r\n", Transfer_Encoding="chunked"),
        (413, "too_large"),
    ),
    "body: nested": (_posted(b"[" * 60_000), (400, "input")),
    "body: a long number": (_posted(b'{"user":' + b"9" * 5000 + b"}"), (400, "input")),
    "body: no JSON": (_posted(b'{"user":NaN}'), (400, "input")),
    "body: unknown names": (_posted(b'{"admin":true}'), (422, "input")),
    "body: half a pair": (_posted(b'{"user":"\\ud800","password":"x"}'), (422, "input")),
    "smuggling": (
        _posted(b"0\r\n\r\n", Transfer_Encoding="chunked", Content_Length="5"),
        (400, "smuggling"),
    ),
    "host: another": (_got("/", Host="evil.example"), (400, "host")),
    "host: ours before it": (_got("/", Host="127.0.0.1.evil.example"), (400, "host")),
    "host: with a user": (_got("/", Host="evil.example@127.0.0.1"), (400, "host")),
    "host: with a path, which the audit log would name": (
        lambda page: page.ask("GET", f"{API}/users", {"Host": "127.0.0.1/harmless?"}),
        (400, "host"),
    ),
    "host: forwarded": (_got("/", Host="evil.example", X_Forwarded_Host="x"), (400, "host")),
    "query: twice": (
        lambda page: page.browser("viewer").ask("GET", "/live?spectra=1&spectra=2"),
        (422, "input"),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_audited(page, name):
    attack, wanted = ATTACKS[name]
    answer = attack(page)
    assert (answer.status, answer.error) == wanted
    assert "root:" not in answer.body.decode("utf-8", "replace")
    _audited(page, wanted[1])


@pytest.mark.parametrize(
    "data",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000,
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
    ],
    ids=["words", "no host", "two hosts", "zero byte", "long", "two lengths", "minus", "TLS"],
)
def test_what_is_no_http_is_refused_and_audited(page, data):
    assert page.raw(data).startswith(b"HTTP/1.1 400 ")
    _audited(page, "malformed", "nobody")


@pytest.mark.parametrize("path", ["/%0d%0aSet-Cookie:%20a=b", f"{API}/x%0d%0aSet-Cookie:%20a=b"])
def test_nothing_that_is_asked_for_becomes_a_header_or_a_second_line(page, path):
    answer = page.ask("GET", path)
    assert answer.status == 404
    assert "set-cookie" not in answer.headers
    assert "server" not in answer.headers
    _audited(page, "not_found")
    assert all("\n" not in str(line["path"]) for line in page.refusals if "path" in line)


def test_a_cookie_is_for_this_page_alone_and_ends_with_the_login(page):
    given = {"user": "engineer", "password": PASSWORD}
    fixed = {"Cookie": "spektron-session=chosen-by-somebody-else"}
    answer = page.browser("viewer").ask("POST", "/session", given, **fixed)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "chosen-by-somebody-else" not in cookie
    headers = {"Cookie": cookie.partition(";")[0], "X-CSRF-Token": answer.json["csrf"]}
    assert page.ask("GET", f"{API}/now", headers).status == 200
    assert page.ask("DELETE", f"{API}/session", headers).status == 200
    assert page.ask("GET", f"{API}/now", headers).status == 401


def test_guessing_has_to_wait_and_one_right_password_is_no_way_around_it(own_page):
    def tried(name: str, password: str) -> Answer:
        return own_page.ask(
            "POST",
            f"{API}/session",
            {"Content-Type": JSON},
            f'{{"user":"{name}","password":"{password}"}}'.encode(),
        )

    for wrong in range(3):
        assert tried("engineer", f"guess {wrong}").status == 401
    assert tried("viewer", PASSWORD).status == 200
    assert tried("nobody-here", "guess").status == 401
    answer = tried("operator", "guess")
    assert (answer.status, answer.error) == (429, "wait")
    assert int(answer.headers["retry-after"]) >= 1
    _audited(own_page, "wait", "operator")
    wrong_ones = [line for line in own_page.refusals if line["error"] == "wrong"]
    *known, stranger = [line["who"] for line in wrong_ones]
    assert known == ["engineer"] * 3
    assert stranger.startswith("unknown-")


@pytest.mark.once
def test_slow_browsers_are_shown_out(own_page):
    host = f"Host: 127.0.0.1:{own_page.port}\r\n".encode()
    post = f"POST {API}/session HTTP/1.1\r\n".encode() + host
    with contextlib.ExitStack() as open_ones:
        headers, body, reader = (open_ones.enter_context(own_page.connect()) for _ in range(3))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        headers.sendall(b"GET / HTTP/1.1\r\n" + host)
        body.sendall(post + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        reader.settimeout(2.0)
        # Asks for more than fits between the two, and takes nothing.
        with contextlib.suppress(TimeoutError):
            ask = f"GET {API}/openapi.json HTTP/1.1\r\n".encode() + host + b"\r\n"
            reader.sendall(ask * 2000)
        assert headers.recv(100) == b""
        assert body.recv(100).startswith(b"HTTP/1.1 408 ")
        for error in ("slow_headers", "slow", "slow_reader"):
            _audited(own_page, error)


def test_many_connections_leave_the_page_to_others(own_page):
    with contextlib.ExitStack() as open_ones:
        for _ in range(MOST_CONNECTIONS + 20):
            open_ones.enter_context(own_page.connect())
        _audited(own_page, "connections")
    until(lambda: _answers(own_page), "an answer after the flood")


def _answers(page: PageProcess) -> bool:
    try:
        return page.ask("GET", f"{API}/session").status == 200
    except OSError:
        return False


def test_many_streams_are_refused_and_end_with_the_login(own_page):
    browser = own_page.browser("viewer")
    lines = "".join(f"{name}: {value}\r\n" for name, value in browser.headers.items())
    ask = f"GET {API}/live HTTP/1.1\r\nHost: 127.0.0.1:{own_page.port}\r\n{lines}"
    ask = f"{ask}Connection: close\r\n\r\n".encode()
    with contextlib.ExitStack() as open_ones:
        streams = [open_ones.enter_context(own_page.connect()) for _ in range(MOST_STREAMS)]
        for stream in streams:
            stream.sendall(ask)
            assert stream.recv(100).startswith(b"HTTP/1.1 200 ")
        answer = browser.ask("GET", "/live")
        assert (answer.status, answer.error) == (429, "too_many_streams")
        _audited(own_page, "too_many_streams", "viewer")
        assert browser.ask("DELETE", "/session").status == 200
        while streams[0].recv(4096):
            pass


def test_machines_that_say_nothing_keep_nobody_else_out(own_page):
    """Some of them before TLS has been agreed upon, when each takes the most memory."""
    with contextlib.ExitStack() as open_ones:
        for _ in range(MOST_OF_ONE):
            one = open_ones.enter_context(socket.socket())
            one.connect(("127.0.0.1", own_page.port))
        other = open_ones.enter_context(socket.socket())
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", own_page.port))
        other.sendall(f"GET / HTTP/1.0\r\nHost: 127.0.0.1:{own_page.port}\r\n\r\n".encode())
        assert other.recv(100).startswith(b"HTTP/1.1 200 ")
    until(lambda: _answers(own_page), "an answer after the silent ones")


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    folder = tmp_path_factory.mktemp("encrypted")
    made = make(folder, ["127.0.0.1", "instrument.example"])
    page = page_process(folder, certificate=str(made.certificate), key=str(made.key))
    # A certificate that signs itself is trusted by naming it.
    page.context = ssl.create_default_context(cafile=str(made.certificate))
    page.start()
    yield page
    assert page.stop() == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_from_1_2_on_and_a_cookie_that_leaves_by_nothing_else(encrypted, version):
    encrypted.context.minimum_version = encrypted.context.maximum_version = version
    given = {"user": "viewer", "password": PASSWORD}
    answer = encrypted.browser("viewer").ask("POST", "/session", given)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-spektron=")
    assert "Secure" in cookie
    assert "strict-transport-security" in answer.headers


@pytest.mark.filterwarnings("ignore:.*TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_old_tls_and_none_get_nothing(encrypted):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    address = ("127.0.0.1", encrypted.port)
    with socket.create_connection(address, 60) as bare, pytest.raises(ssl.SSLError):
        old.wrap_socket(bare)
    with socket.create_connection(address, 60) as bare:
        bare.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"HTTP/" not in bare.recv(1000)


def test_a_flood_before_tls_is_agreed_upon_is_shown_out(encrypted):
    """asyncio keeps 256 kB for each: so many ended the process."""
    with contextlib.ExitStack() as open_ones:
        for _ in range(700):
            one = open_ones.enter_context(socket.socket())
            one.connect(("127.0.0.1", encrypted.port))
        _audited(encrypted, "connections")
    until(lambda: _answers(encrypted), "an answer after the flood")
    assert encrypted.running
