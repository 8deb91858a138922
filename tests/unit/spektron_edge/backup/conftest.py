from __future__ import annotations

import json

import pytest

from spektron_edge.cli.main import main
from tests.devices import make_device


@pytest.fixture
def device(tmp_path):
    return make_device(tmp_path / "device")


@pytest.fixture
def passphrase(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text("correct horse battery staple\n")
    return path


@pytest.fixture
def ask(capsys):
    """ask(*words): exit status, and what the command line said."""

    def make(*words):
        capsys.readouterr()
        status = main([*map(str, words), "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, json.loads(out)

    return make


@pytest.fixture
def done(ask):
    """The same, of what has to work."""

    def make(*words):
        status, told = ask(*words)
        assert status == 0, told
        return told

    return make
