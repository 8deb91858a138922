"""Installation qualification: is what stands there what was ordered, and whole?"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from spektron_edge import __version__
from spektron_edge.bundle.device_key import FILE as DEVICE_KEY
from spektron_edge.clock_sync import kernel_synchronised
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault
from spektron_edge.files.audit import AuditError
from spektron_edge.files.audit_segments import check
from spektron_edge.files.state_folder import AUDIT_FILE
from spektron_edge.prediction.product import load_product
from spektron_edge.publishing.active_faults import QUALIFICATION

from .bench import Known
from .items import Expected, Item, checked, not_done, noted
from .measuring import Findings

_PACKAGE = "spektron-edge"
# The item about the clock.
SYNCHRONISED = "synchronised"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ = stat.S_IRWXG | stat.S_IRWXO


def judge(
    config: Config, config_path: Path, known: Known | Fault, expected: Mapping[str, Expected]
) -> Findings:
    """known: what the running daemon says, or why it says nothing; expected: by `what` of an item,
    what the plan asks for. One that is never met has not been done."""
    items = [
        *_software(expected),
        *_tried("software", "packages", lambda: _packages(expected)),
        *_tried("configuration", "file", lambda: _configuration(config_path, expected)),
        *_tried("bundle", "bundle", lambda: _bundle(config, known, expected)),
        *_instrument(known, expected),
        *_host(config, expected),
        _clock(),
        *_permissions(config),
        *_tried("audit log", "chain", lambda: _audit(config.state_dir)),
    ]
    unmet = sorted(set(expected) - {item.what for item in items})
    items += [not_done("expected", what, "the plan expects it; there is none") for what in unmet]
    return Findings(tuple(items))


def _tried(part: str, what: str, look: Callable[[], Iterator[Item]]) -> list[Item]:
    """What cannot be looked at is not done, and says why."""
    try:
        return list(look())
    except Fault as fault:
        return [Item(part=part, what=what, verdict="fail", told=f"{fault.detail} [{fault.code}]")]
    except OSError as error:
        return [not_done(part, what, f"{error.filename}: {error.strerror}")]


def _software(expected: Mapping[str, Expected]) -> Iterator[Item]:
    def fact(what: str, value: str) -> Item:
        return noted("software", what, value, expected.get(what))

    yield fact("software", f"{_PACKAGE} {__version__}")
    yield fact("python", platform.python_version())


def _packages(expected: Mapping[str, Expected]) -> Iterator[Item]:
    """This one and what it needs, each against the hashes that it was installed with."""
    for name in [_PACKAGE, *_required()]:
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            yield not_done("packages", name, "it is not installed as a package")
            continue
        files, wrong = 0, []
        for file in package.files or ():
            if file.hash is None or file.hash.mode != "sha256":
                continue
            files += 1
            if _digest(Path(str(file.locate()))) != file.hash.value:
                wrong.append(str(file))
        yield noted("packages", name, package.version, expected.get(name))
        yield checked(
            "packages",
            f"{name}, files",
            f"{files - len(wrong)} of {files}",
            good=files > 0 and not wrong,
            limit="each as it was installed",
            told=", ".join(wrong[:3]),
        )


def _required() -> list[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in metadata.requires(_PACKAGE) or ())
    needed = {
        match[0]
        for match, line in zip(found, metadata.requires(_PACKAGE) or (), strict=True)
        if match is not None and "extra ==" not in line
    }
    # What an older Python needs in addition is not here on a newer one.
    return sorted(name for name in needed if name != "tomli" or _there(name))


def _there(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _digest(path: Path) -> str:
    """As RECORD writes it; empty for a file that cannot be read."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(2**20):
                found.update(chunk)
    except OSError:
        return ""
    return base64.urlsafe_b64encode(found.digest()).rstrip(b"=").decode()


def _configuration(path: Path, expected: Mapping[str, Expected]) -> Iterator[Item]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    yield noted("configuration", "sha-256", digest, expected.get("sha-256"))


def _bundle(
    config: Config, known: Known | Fault, expected: Mapping[str, Expected]
) -> Iterator[Item]:
    """Loaded as the daemon loads it: hashes, signature and golden vectors are checked."""
    model = load_product(config).model
    signer = "nobody is asked for" if config.trust is None else str(model.signed_by)
    yield noted("bundle", "bundle", model.bundle_id, expected.get("bundle"))
    yield noted("bundle", "product", model.product.name, expected.get("product"))
    yield noted("bundle", "signed by", signer, expected.get("signed by"))
    yield noted("bundle", "graph, sha-256", model.graph_sha256, expected.get("graph, sha-256"))
    if not isinstance(known, Fault) and known.model is not None:
        running = str(known.model["model"]["bundle"])
        good = running == model.bundle_id
        yield checked("bundle", "used by the daemon", running, good=good, limit=model.bundle_id)
    computed = f"{model.graph.precision} on {model.backend.provider}"
    yield noted("bundle", "computed in", computed, expected.get("computed in"))
    yield checked(
        "bundle",
        "self-test",
        "golden vectors hold",
        good=True,
        limit="within the bundle's tolerance",
    )


def _instrument(known: Known | Fault, expected: Mapping[str, Expected]) -> Iterator[Item]:
    if isinstance(known, Fault):
        yield not_done("instrument", "instrument", known.detail)
        return
    device = None if known.state is None else known.state["device"]
    if device is None:
        yield not_done("instrument", "instrument", "none was connected since the daemon started")
        return
    facts = {
        "serial number": device["serial"],
        "firmware": device["firmware"],
        "pixels": str(device["pixels"]),
        "capabilities": ", ".join(device["capabilities"]) or "none",
    }
    if known.axis is not None:
        values = known.axis.values_nm
        facts["axis"] = f"{values[0]:.2f} to {values[-1]:.2f} nm, {known.axis.id}"
    for what, value in facts.items():
        yield noted("instrument", what, value, expected.get(what))
    running = str(known.hello["version"])
    yield checked(
        "software", "running daemon", running, good=running == __version__, limit=__version__
    )
    faults = sorted(set(known.faults) - {kind.value.code for kind in QUALIFICATION})
    yield checked(
        "instrument", "faults", ", ".join(faults) or "none", good=not faults, limit="none"
    )


def _host(config: Config, expected: Mapping[str, Expected]) -> Iterator[Item]:
    facts = {
        "host": platform.node(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "state folder": str(config.state_dir),
    }
    for what, value in facts.items():
        yield noted("host", what, value, expected.get(what))


def _clock() -> Item:
    state = kernel_synchronised()
    if state is None:
        return not_done("clock", SYNCHRONISED, "the kernel does not say")
    return checked(
        "clock",
        SYNCHRONISED,
        "yes" if state else "no",
        good=state,
        limit="yes",
        told="by what the kernel says of its clock",
    )


def _permissions(config: Config) -> Iterator[Item]:
    yield _modes("state folder, write", [config.state_dir], _OTHERS_WRITE, "nobody but its owner")
    keys = [operator.key_file for operator in config.commands.operators]
    keys += [path for path in (config.mqtt.password_file, config.mqtt.key_file) if path is not None]
    keys += [path for path in (config.page.key,) if path is not None]
    keys += [config.state_dir / DEVICE_KEY, config.state_dir / "page" / "users.json"]
    there = [path for path in keys if path.exists()]
    if there:
        yield _modes("files of keys, read", there, _OTHERS_READ, "nobody but their owner")


def _modes(what: str, paths: list[Path], forbidden: int, limit: str) -> Item:
    try:
        modes = {path: path.stat().st_mode for path in paths}
    except OSError as error:
        return not_done("permissions", what, f"{error.filename}: {error.strerror}")
    wrong = [f"{path} ({stat.filemode(m)})" for path, m in modes.items() if m & forbidden]
    value = ", ".join(wrong) or f"{len(paths)} as they should be"
    own = f"looked at as user {os.geteuid()}"
    return checked("permissions", what, value, good=not wrong, limit=limit, told=own)


def _audit(state_dir: Path) -> Iterator[Item]:
    path = state_dir / AUDIT_FILE
    if not path.exists():
        yield not_done("audit log", "chain", f"{path} is not there yet")
        return
    try:
        chain = check(path, None, None).chain
    except AuditError as error:
        yield checked("audit log", "chain", "broken", good=False, limit="whole", told=str(error))
        return
    told = f"{chain.lines} lines, head {chain.head}"
    yield checked("audit log", "chain", "whole", good=True, limit="whole", told=told)
