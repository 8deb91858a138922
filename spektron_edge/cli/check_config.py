"""`spektron-edge check-config`: everything that can be known before the daemon runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from firmware_bridge.errors import LinkError
from firmware_bridge.protocol import capability_names
from spektron_edge.bundle import BundleError
from spektron_edge.bundle.rules import check_serial
from spektron_edge.config.file import Config
from spektron_edge.config.instrument import instrument_of
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import Model
from spektron_edge.instrument.line_faults import as_fault
from spektron_edge.mqtt.commands import CommandRefused, read_key, shared_with
from spektron_edge.mqtt.connection import connect_plain, new_client
from spektron_edge.mqtt.topics import Topics
from spektron_edge.prediction.product import load_product
from spektron_edge.spectra.resampling import Resampler
from spektron_edge.support.exposed import exposed

_BROKER_WAIT_S = 5.0


def check_config(path: Path, *, probe: bool) -> dict[str, object]:
    """Check the file and load its bundle; with `probe` also talk to instrument and broker.

    Raises the Fault that a daemon with this file, or its operators, would run into.
    """
    config = load_config(path)
    model = load_product(config).model
    topics = Topics(config.site, config.instrument)
    new_client(config.mqtt, "spektron-check")
    try:
        for operator in config.commands.operators:
            key = read_key(operator.name, operator.key_file)
            if (other := shared_with(key, config.commands.operators)) is not None:
                told = f"{operator.name} and {other} have one key: nobody could tell them apart"
                raise Fault(Faults.CONFIG_INVALID, told)
    except CommandRefused as error:
        raise Fault(Faults.CONFIG_INVALID, str(error)) from None
    report: dict[str, object] = {
        "configuration": str(path),
        "topics": f"{topics.root}/...",
        "bundle": model.bundle_id,
        "signed by": "nobody is asked for" if config.trust is None else str(model.signed_by),
        "product": model.product.name,
        "properties": ", ".join(p.name for p in model.product.properties),
        "backend": model.fell_back or f"{model.active} ({model.backend.provider})",
        "state": str(config.state_dir),
    }
    if open_to_all := exposed(config, path.resolve().parent):
        report["keys that everybody can read"] = [f"chmod o= {file}" for file in open_to_all]
    if probe:
        _probe(config, model, report)
    return report


def _probe(config: Config, model: Model, report: dict[str, object]) -> None:
    """Both, whatever is wrong with the first: a running daemon holds the port, for instance."""
    found = {
        "instrument": _tried(lambda: _instrument(config, model)),
        "broker": _tried(lambda: _broker(config)),
    }
    faults = [fault for fault in found.values() if isinstance(fault, Fault)]
    if not faults:
        report.update(found)
        return
    told = [faults[0].detail, *(f"{f.detail} [{f.code}]" for f in faults[1:])]
    told += [f"{what}: {good}" for what, good in found.items() if isinstance(good, str)]
    raise Fault(faults[0].kind, "; ".join(told))


def _tried(ask: Callable[[], str]) -> str | Fault:
    try:
        return ask()
    except Fault as fault:
        return fault


def _instrument(config: Config, model: Model) -> str:
    try:
        with closing(instrument_of(config.serial)) as instrument:
            info = instrument.open()
    except LinkError as error:
        raise as_fault(error) from None
    try:
        check_serial(model.devices, info.serial)
    except BundleError as error:
        raise error.fault from None
    Resampler.between(info.axis_nm, model.product.grid.axis())
    able = ", ".join(capability_names(info.capabilities)) or "nothing by itself"
    return f"{info.serial}, firmware {info.firmware}, {info.pixels} pixels, does {able}"


def _broker(config: Config) -> str:
    with connect_plain(config.mqtt, _BROKER_WAIT_S):
        return f"{config.mqtt.url} accepts us"
