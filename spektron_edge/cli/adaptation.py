"""`spektron-edge adapt`: its arguments, and what they call."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from . import adaptation_evidence
from .argument_types import name, positive, reason, with_config
from .local_operator import local_operator
from .show import show

if TYPE_CHECKING:
    from spektron_edge.adaptation_state import Adaptations, AdaptationStore
    from spektron_edge.config.file import Config


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the parser."""
    adapt = commands.add_parser("adapt", help="what the instrument adapted to, and who agreed")
    actions = adapt.add_subparsers(required=True, metavar="ACTION")
    _action(actions, "status", "what is in use, and what waits for approval").set_defaults(
        command=_status
    )
    _action(actions, "list", "all adaptations that are kept").set_defaults(command=_list)
    for word, text, command in (
        ("show", "everything that is known of one", _show),
        ("replay", "make one again from its spectra, and compare every bit", _replay),
    ):
        one = _action(actions, word, text)
        one.add_argument(
            "number", type=positive, help="of the adaptation, as `adapt list` shows it"
        )
        one.set_defaults(command=command)
    for word, text, command in (
        ("approve", "agree to a proposal; it is used when enough people have", _approve),
        ("reject", "never use a proposal", _reject),
    ):
        decide = _action(actions, word, text)
        decide.add_argument(
            "number", type=positive, help="of the proposal, as `adapt status` shows it"
        )
        _with_who(decide, why_required=True)
        decide.set_defaults(command=command)
    for word, text, command in (
        ("rollback", "back to what was in use before", _rollback),
        ("reset", "back to the bundle's own calibration, at any time", _reset),
    ):
        back = _action(actions, word, text)
        _with_who(back, why_required=False)
        back.add_argument(
            "--serial", help="of the instrument (default: the only one with an adaptation in use)"
        )
        back.set_defaults(command=command)
    adaptation_evidence.add(actions)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], word: str, text: str
) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(word, help=text)
    with_config(action)
    return action


def _with_who(parser: argparse.ArgumentParser, *, why_required: bool) -> None:
    parser.add_argument("--by", type=name, required=True, metavar="WHO", help="who decides this")
    parser.add_argument(
        "--why",
        type=reason,
        required=why_required,
        default="not said",
        metavar="TEXT",
        help="stands in the audit log",
    )


def _status(arguments: argparse.Namespace) -> int:
    config, store = _opened(arguments)
    show(_report(config, store, store.read()), as_json=arguments.json)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from spektron_edge.adaptation_state.in_words import described

    adaptations = _opened(arguments)[1].read()
    report: dict[str, object] = {
        f"adaptation {entry.number}": described(entry, adaptations) for entry in adaptations.held
    }
    show(report or {"adaptations": "none"}, as_json=arguments.json)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from spektron_edge.adaptation_state.in_words import contents, described

    store = _opened(arguments)[1]
    adaptations = store.read()
    entry = adaptations.entry(arguments.number)
    report: dict[str, object] = {
        "adaptation": entry.number,
        "id": entry.id,
        **described(entry, adaptations),
        **contents(store.load(entry)),
    }
    show(report, as_json=arguments.json)
    return 0


def _approve(arguments: argparse.Namespace) -> int:
    from datetime import datetime, timezone

    from spektron_edge.adaptation_state import Approval
    from spektron_edge.adaptation_state.approving import approve
    from spektron_edge.clock import Clock
    from spektron_edge.prediction.product import load_product

    config, store = _opened(arguments)
    # Before a second is spent on the bundle.
    store.read().entry(arguments.number)
    at = datetime.fromtimestamp(Clock().now().utc_s, timezone.utc)
    approval = Approval(who=arguments.by, through=local_operator(), at=at, why=arguments.why)
    model = load_product(config).model
    return _now(arguments, approve(store, arguments.number, approval, config, model))


def _reject(arguments: argparse.Namespace) -> int:
    store = _opened(arguments)[1]
    return _now(arguments, store.reject(arguments.number, _who(arguments), arguments.why))


def _rollback(arguments: argparse.Namespace) -> int:
    store = _opened(arguments)[1]
    return _now(arguments, store.roll_back(arguments.serial, _who(arguments), arguments.why))


def _reset(arguments: argparse.Namespace) -> int:
    store = _opened(arguments)[1]
    return _now(arguments, store.reset(arguments.serial, _who(arguments), arguments.why))


def _replay(arguments: argparse.Namespace) -> int:
    from spektron_edge import __version__
    from spektron_edge.adaptation_state.recompute import recompute_for
    from spektron_edge.adaptation_state.replay import replay
    from spektron_edge.faults import Fault, Faults
    from spektron_edge.prediction.product import load_product

    config, store = _opened(arguments)
    entry = store.read().entry(arguments.number)
    header, model = store.load(entry).header, load_product(config).model
    if (header.bundle, header.graph_sha256) != (model.bundle_id, model.graph_sha256):
        detail = (
            f"adaptation {entry.number} was made with graph {header.graph_sha256[:12]} of "
            f"{header.bundle}, and {model.graph_sha256[:12]} of {model.bundle_id} is configured"
        )
        raise Fault(Faults.ADAPTATION_REFUSED, detail)
    told = replay(store, arguments.number, recompute_for(config, entry.serial))
    report: dict[str, object] = {
        "adaptation": arguments.number,
        "made by": f"version {header.software}, again by {__version__}",
        "same in every bit": not told,
        "differences": list(told),
    }
    show(report, as_json=arguments.json)
    return Faults.ADAPTATION_UNUSABLE.value.exit_status if told else 0


def _now(arguments: argparse.Namespace, adaptations: Adaptations) -> int:
    report = _report(*_opened(arguments), adaptations)
    show({**report, "next": "a running daemon takes it at once"}, as_json=arguments.json)
    return 0


def _report(config: Config, store: AdaptationStore, adaptations: Adaptations) -> dict[str, object]:
    from spektron_edge.adaptation_state.in_words import FACTORY, in_use, waiting
    from spektron_edge.adaptation_state.not_applied import not_applied
    from spektron_edge.faults import Fault

    rules = config.adaptation
    report: dict[str, object] = {"mode": rules.mode, "approvals": rules.approvals}
    serials = sorted({*adaptations.used, *(entry.serial for entry in adaptations.held)})
    for serial in serials:
        entry = adaptations.active(serial)
        told: dict[str, object] = {"in use": in_use(entry)}
        if entry is not None:
            told["approved by"] = ", ".join(entry.approved_by) or "nobody: used by itself"
            try:
                store.load(entry)
            except Fault as fault:
                told["cannot be used"] = str(fault)
        if why := not_applied(config, serial):
            told["not applied"] = str(why)
        proposals = adaptations.waiting(serial)
        told["waiting"] = [waiting(proposal, rules.approvals) for proposal in proposals]
        report[f"instrument {serial}"] = told
    if not serials:
        report["in use"] = FACTORY
    return report


def _who(arguments: argparse.Namespace) -> str:
    return f"{arguments.by} ({local_operator()})"


def _opened(arguments: argparse.Namespace) -> tuple[Config, AdaptationStore]:
    from spektron_edge.adaptation_state import AdaptationStore
    from spektron_edge.config.loading import load_config

    config = load_config(arguments.config)
    return config, AdaptationStore(config.state_dir)
