"""`make audit` with a service of OSV's kind on this machine, which knows what the test says."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("pip_audit", reason="pip-audit is not installed (extra dev)")

from tests.supply import audit, licences
from tests.supply.lock import FOLDER


@pytest.fixture
def service():
    """make(known, broken_for) -> address; known: vulnerabilities by package."""
    servers = []

    def make(known=None, broken_for=()):
        class Answers(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                name = asked["package"]["name"]
                vulns = (known or {}).get(name, [])
                body = json.dumps({"vulns": vulns} if vulns else {}).encode()
                self.send_response(500 if name in broken_for else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/v1/query"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def one_python(monkeypatch):
    monkeypatch.setattr(audit, "PYTHONS", ("3.10",))


def test_nothing_known(service, capsys):
    assert audit.main(["--osv-url", service()]) == 0
    pins = (FOLDER / "runtime-py310.txt").read_text().count("==")
    assert f"known vulnerabilities: 0 in {pins} pins" in capsys.readouterr().out


def test_what_is_known_is_named_with_the_version_that_has_it_no_more(service, capsys):
    known = {
        "id": "TEST-2026-1",
        "aliases": ["CVE-2026-0001"],
        "summary": "reads what it must not",
        "affected": [
            {
                "package": {"name": "h11", "ecosystem": "PyPI"},
                "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.17.0"}]}
                ],
            }
        ],
    }
    assert audit.main(["--osv-url", service({"h11": [known]}), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["unasked"] == []
    (line,) = told["known"]
    assert line.startswith("runtime-py310.txt: h11 0.")
    assert line.endswith("CVE-2026-0001, TEST-2026-1; fixed in 0.17.0")


@pytest.mark.parametrize("how", ["no one listens", "one answer is an error"])
def test_what_could_not_be_asked_is_never_called_clean(service, capsys, how):
    url = (
        service(broken_for={"numpy"}) if how == "one answer is an error" else "http://127.0.0.1:9/"
    )
    assert audit.main(["--osv-url", url]) == 3
    out = capsys.readouterr().out
    assert "NOT ASKED" in out
    assert "next: run it where" in out
    assert "Traceback" not in out


def test_a_licence_that_may_not_ship_is_found(service, capsys, monkeypatch):
    monkeypatch.setattr(licences, "entered", lambda: {"h11": "GPL-3.0-only"})
    assert audit.main(["--osv-url", service()]) == 1
    assert "h11: GPL-3.0-only" in capsys.readouterr().out
