"""From a file to its configuration, or to a fault that names every wrong key."""

from __future__ import annotations

import difflib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from spektron_edge.detector.axis import read_table
from spektron_edge.faults import Fault, Faults

from .file import Config
from .toml import tomllib


def load_config(path: Path) -> Config:
    """Read and check a file. Raises Fault(CONFIG_INVALID) naming every wrong key.

    Relative paths in the file are relative to the file's folder.
    """
    return parse_config(read_config(path), path)


def read_config(path: Path) -> str:
    """The file's text. Raises Fault(CONFIG_INVALID)."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise Fault(Faults.CONFIG_INVALID, f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Fault(Faults.CONFIG_INVALID, f"{path} is not TOML: {error}") from None


def parse_config(text: str, path: Path) -> Config:
    """Check a text as if the file held it. Raises Fault(CONFIG_INVALID) naming every wrong key.

    And Fault(DRIVER_FAILED).
    """
    config = understand_config(text, path)
    if config.acquisition.axis_file is not None:
        try:
            read_table(config.acquisition.axis_file)
        except Fault as fault:
            told = f"{path}: acquisition.axis_file: {fault.detail}"
            raise Fault(Faults.CONFIG_INVALID, told) from None
    return config


def understand_config(text: str, path: Path) -> Config:
    """The same, without a look into the files that it names: they may not be there yet."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Fault(Faults.CONFIG_INVALID, f"{path} is not TOML: {error}") from None
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(_explain(detail["loc"], detail["msg"]) for detail in error.errors())
        raise Fault(Faults.CONFIG_INVALID, f"{path}: {problems}") from None
    return _anchored(config, path.resolve().parent)


def _explain(location: tuple[str | int, ...], message: str) -> str:
    where = ".".join(str(part) for part in location)
    message = message.removeprefix("Value error, ")
    if message != "Extra inputs are not permitted":
        return f"{where}: {message}" if where else message
    close = difflib.get_close_matches(str(location[-1]), _known(location[:-1]), n=1)
    return f"unknown key {where}" + (f" (did you mean {close[0]!r}?)" if close else "")


def _known(section: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in section:
        inner = model.model_fields[str(part)].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _anchored(config: Config, folder: Path) -> Config:
    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    files = ("password_file", "ca_file", "cert_file", "key_file")
    mqtt = config.mqtt.model_copy(update={name: at(getattr(config.mqtt, name)) for name in files})
    operators = tuple(
        o.model_copy(update={"key_file": folder / o.key_file}) for o in config.commands.operators
    )
    trust = config.trust and config.trust.model_copy(update={"keys": folder / config.trust.keys})
    acquisition = config.acquisition.model_copy(
        update={"axis_file": at(config.acquisition.axis_file)}
    )
    inference = config.inference.model_copy(update={"engines": at(config.inference.engines)})
    page = config.page.model_copy(
        update={name: at(getattr(config.page, name)) for name in ("certificate", "key")}
    )
    qualification = config.qualification.model_copy(update={"plan": at(config.qualification.plan)})
    return config.model_copy(
        update={
            "qualification": qualification,
            "acquisition": acquisition,
            "inference": inference,
            "page": page,
            "state_dir": folder / config.state_dir,
            "bundle": at(config.bundle) if isinstance(config.bundle, Path) else config.bundle,
            "trust": trust,
            "mqtt": mqtt,
            "commands": config.commands.model_copy(update={"operators": operators}),
        }
    )
