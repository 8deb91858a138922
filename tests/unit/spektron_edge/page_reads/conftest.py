"""A page without a daemon, and people of every role who are signed in."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from spektron_edge.config.loading import load_config
from spektron_edge.page.app import application
from spektron_edge.page.link import Link
from spektron_edge.page.passwords import hashed
from spektron_edge.page.routing import cookie_name
from spektron_edge.page.services import services
from tests import bundles

from .asking import NAMES, PASSWORD


@pytest.fixture(scope="session")
def kept_password():
    return hashed(PASSWORD)


@pytest.fixture
def config_path(tmp_path):
    bundles.write_tiny(tmp_path / "tiny.spektron")
    path = tmp_path / "spektron.toml"
    path.write_text(
        'site = "lab"\ninstrument = "m5"\nstate_dir = "state"\nbundle = "tiny.spektron"\n'
        '[serial]\nurl = "/dev/null"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n'
    )
    (tmp_path / "state").mkdir()
    return path


@pytest.fixture
def page(config_path, kept_password):
    made = services(config_path, load_config(config_path), Link())
    for role, name in NAMES.items():
        made.users.add(name, role, kept_password)
    yield made
    made.close()


@pytest.fixture
def asked(page):
    """Ask as somebody of a role, an engineer unless said otherwise."""
    with TestClient(application(page), base_url="http://127.0.0.1:8765/api/v1") as client:

        def ask(path, role="engineer", method="GET", content_type=None, **given):
            user = page.users.read().find(NAMES[role])
            token, session = page.sessions.begin(user)
            client.cookies = {cookie_name(page): token}
            headers = {"X-CSRF-Token": session.csrf}
            if content_type is not None:
                headers["Content-Type"] = content_type
            return client.request(method, path, headers=headers, **given)

        yield ask
