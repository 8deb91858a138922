"""The page as a process of its own, and browsers that are not polite."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from spektron_edge.demo.broker import free_port
from spektron_edge.door.notes import notes
from spektron_edge.page.passwords import hashed
from spektron_edge.page.users import UserStore
from spektron_edge.roles import ROLES, Role

API = "/api/v1"
PASSWORD = "correct horse 42"
_PATIENCE_S = 60.0
# One account for each role, called like it.
PEOPLE = ROLES


@cache
def _hash() -> str:
    return hashed(PASSWORD)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str | None:
        return self.json.get("error") if self.body.startswith(b"{") else None


@dataclass
class PageProcess:
    """config: a file with `[page]` in it; people: who has an account when it starts."""

    config: Path
    port: int
    state_dir: Path
    context: ssl.SSLContext | None = None
    people: tuple[Role, ...] = PEOPLE
    _process: subprocess.Popen[str] | None = None
    _browsers: dict[str, Browser] = field(default_factory=dict)

    def start(self) -> dict[str, Any]:
        """What it says of itself."""
        store = UserStore(self.state_dir)
        if not store.read().held:
            for name in self.people:
                store.add(name, name, _hash())
        words = [sys.executable, "-m", "spektron_edge", "page", "--config", str(self.config)]
        log = self.config.with_name("page.log").open("a")
        with log:
            self._process = subprocess.Popen(
                [*words, "--json"], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said

    def stop(self) -> int:
        """By SIGTERM; its exit status."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.terminate()
        status = self._process.wait(_PATIENCE_S)
        self._process.stdout.close()
        return status

    def end(self) -> None:
        """Whatever it was doing; nothing where it has ended."""
        if self._process is not None and self._process.poll() is None:
            self.stop()

    @property
    def running(self) -> bool:
        assert self._process is not None
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def connect(self) -> socket.socket:
        """A bare connection, encrypted where the page is."""
        bare = socket.create_connection(("127.0.0.1", self.port), _PATIENCE_S)
        return self.context.wrap_socket(bare, server_hostname="127.0.0.1") if self.context else bare

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = b""):
        """One request on a connection of its own; path as it stands."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_S)
        connection.sock = self.connect()
        given = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if body != b"" and "Transfer-Encoding" not in given:
                given.setdefault("Content-Length", str(len(body)))
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            found = connection.getresponse()
            return Answer(found.status, dict(found.headers), found.read())
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """What comes back of these bytes, until the page closes."""
        with self.connect() as line:
            line.sendall(data)
            found = bytearray()
            try:
                while part := line.recv(65536):
                    found += part
            except ConnectionError:
                pass
            return bytes(found)

    def browser(self, name: str) -> Browser:
        """Somebody who is signed in; of each name one, as often as it is asked for."""
        if name not in self._browsers:
            self._browsers[name] = signed_in(self, name)
        return self._browsers[name]

    @property
    def refusals(self) -> list[dict[str, Any]]:
        """Of the ledger that waits for a daemon: who, and details."""
        untold = notes(self.state_dir).read().untold
        return [{"who": a.who, **a.details} for a in untold if a.what == "page_refused"]


@dataclass
class Browser:
    page: PageProcess
    headers: dict[str, str]

    def ask(self, method: str, path: str, given: Any = None, **headers: str) -> Answer:
        """As the page's own script asks. headers: with `_` for `-`."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        body = b""
        if given is not None:
            body, more = json.dumps(given).encode(), {"Content-Type": "application/json", **more}
        answer: Answer = self.page.ask(method, API + path, {**self.headers, **more}, body)
        return answer


def signed_in(page: PageProcess, name: str, password: str = PASSWORD) -> Browser:
    """A login, with its cookie and its token for writes."""
    answer = Browser(page, {}).ask("POST", "/session", {"user": name, "password": password})
    assert answer.status == 200, answer.body
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return Browser(page, {"Cookie": cookie, "X-CSRF-Token": answer.json["csrf"]})


def page_process(folder: Path, **settings: object) -> PageProcess:
    """Not started yet, with a state folder of its own and no daemon. settings: of `[page]`."""
    port = free_port()
    path = folder / "spektron.toml"
    given = {"port": port, **settings}
    lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
    path.write_text(
        'site = "lab"\ninstrument = "m5"\nstate_dir = "state"\n'
        '[serial]\nurl = "/dev/null"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n[page]\n' + "\n".join(lines)
    )
    return PageProcess(path, port, folder / "state")
