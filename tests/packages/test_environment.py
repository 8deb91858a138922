"""Wheels to an environment, and what a package says of itself."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy.debian.control import Control
from deploy.environment.target import Target
from deploy.environment.tree import make_environment
from deploy.environment.wheels import Failed, pinned_wheels, source_date

_SCRIPTS = Path(__file__).resolve().parents[2] / "deploy" / "debian" / "scripts"


def _wheel(folder: Path, name: str, *files: str) -> Path:
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.writestr(file, f"{name}: {file}")
    return path


def test_modules_are_taken_and_what_belongs_to_a_host_is_left(tmp_path: Path) -> None:
    info = "ours-1.dist-info"
    ours = _wheel(
        tmp_path,
        "ours",
        "spektron_edge/a.py",
        "spektron_train/b.py",
        "spektron_edge/tests/test_a.py",
        "spektron_edge/__pycache__/a.pyc",
        f"{info}/METADATA",
        f"{info}/RECORD",
        "ours-1.data/scripts/c",
    )
    with zipfile.ZipFile(ours, "a") as archive:
        programs = "[console_scripts]\nedge = spektron_edge.a:main\ntrain = spektron_train.b:main\n"
        archive.writestr(f"{info}/entry_points.txt", programs)
    make_environment([ours], tmp_path / "root", "/opt/it", Target())
    packages = tmp_path / "root" / "opt/it/lib/python3.11/site-packages"
    found = {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()}
    assert found == {"spektron_edge/a.py", f"{info}/METADATA", f"{info}/entry_points.txt"}
    assert "train" not in (packages / info / "entry_points.txt").read_text()
    assert (tmp_path / "root/opt/it/bin/python3").readlink() == Path("/usr/bin/python3.11")


@pytest.mark.parametrize("name", ["../out.py", "/out.py", "a/../../out.py"])
def test_a_wheel_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Failed, match="elsewhere"):
        make_environment([_wheel(tmp_path, "bad", name)], tmp_path / "root", "/opt/it", Target())


def test_two_wheels_with_the_same_file_are_refused(tmp_path: Path) -> None:
    wheels = [_wheel(tmp_path, name, "same.py") for name in ("one", "two")]
    with pytest.raises(Failed, match=r"two-1.*same\.py"):
        make_environment(wheels, tmp_path / "root", "/opt/it", Target())


def test_what_cannot_be_built_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="armhf"):
        Target("armhf")
    with pytest.raises(ValueError, match="2"):
        Target(python="2")
    with pytest.raises(ValueError, match="onnxruntime"):
        Target(gpu=Path("elsewhere.whl"))
    with pytest.raises(Failed, match=r"3\.99"):
        pinned_wheels(Target(python="3.99"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    with pytest.raises(Failed, match="today"):
        source_date()


def test_versions_sort_as_they_follow_each_other() -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("dpkg is not here")
    versions = [
        Control("1.0rc1", 1, Target()),
        Control("1.0", 1, Target(python="3.11")),
        Control("1.0", 1, Target(python="3.13")),
        Control("1.0", 2, Target()),
        Control("1.0.1.dev3", 1, Target()),
        Control("1.0.1", 1, Target()),
    ]
    for earlier, later in itertools.pairwise(versions):
        words = [earlier.debian_version, "lt", later.debian_version]
        assert subprocess.run(["dpkg", "--compare-versions", *words], check=False).returncode == 0


@pytest.mark.parametrize("script", sorted(_SCRIPTS.iterdir()), ids=lambda path: path.name)
def test_scripts_are_plain_shell(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)
