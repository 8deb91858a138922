"""`spektron-edge check-config`: everything that can be known before the daemon runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config
from spektron_edge.examination.broker import accepts
from spektron_edge.examination.instrument import answering, check_fit, in_words
from spektron_edge.examination.operators import check_keys
from spektron_edge.examination.permissions import closing, exposed
from spektron_edge.faults import Fault
from spektron_edge.inference import Model
from spektron_edge.mqtt.connection import new_client
from spektron_edge.mqtt.topics import Topics
from spektron_edge.prediction.product import load_product


def check_config(path: Path, *, probe: bool) -> dict[str, object]:
    """Check the file and load its bundle; with `probe` also talk to instrument and broker.

    Raises the Fault that a daemon with this file, or its operators, would run into.
    """
    config = load_config(path)
    model = load_product(config).model
    topics = Topics(config.site, config.instrument)
    new_client(config.mqtt, "spektron-check")
    check_keys(config)
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
    if open_to_others := exposed(config):
        report["keys that others can read"] = [closing(file) for file in open_to_others]
    if probe:
        _probe(config, model, report)
    return report


def _probe(config: Config, model: Model, report: dict[str, object]) -> None:
    """Both, whatever is wrong with the first: a running daemon holds the port, for instance."""
    found = {
        "instrument": _tried(lambda: _instrument(config, model)),
        "broker": _tried(lambda: accepts(config.mqtt)),
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
    identity = answering(config)
    check_fit(identity, model)
    return in_words(identity)
