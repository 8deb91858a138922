"""One case of the transfer benchmark: our fit, its promises, the native calibration, the peers."""

from __future__ import annotations

import numpy as np

from spektron_edge.transfer import TransferError, fit
from spektron_edge.transfer.evaluation import RELATIVE
from spektron_edge.transfer.filters import filters_for
from spektron_edge.transfer.penalised_ridge import Rows, solve
from spektron_edge.transfer.uncertainty import COVERAGE

from . import old_peers, slow_peers
from .transfer_peers import all_peers, paired_task, unpaired_task
from .transfer_sets import Case, corn, kennard_stone, simulated, tablets

PEERS = (
    "mean shift",
    "SST (pynir)",
    "slope and bias",
    "EPO",
    "BS (pynir)",
    "DS (chemotools)",
    "linear OT (POT)",
    "Sinkhorn OT (POT)",
)
# Of those, what needs no pairs.
UNPAIRED_PEERS = ("linear OT (POT)", "Sinkhorn OT (POT)")


def r2(predicted, truth):
    """(m,)."""
    return 1 - np.sum((predicted - truth) ** 2, axis=0) / np.sum(
        (truth - truth.mean(axis=0)) ** 2, axis=0
    )


def rmse(predicted, truth):
    """(m,)."""
    return np.sqrt(np.mean((predicted - truth) ** 2, axis=0))


def native(x, y, test):
    """Ridge on all training samples of the target: predictions (k, m), interval half width (m,).

    Filters and penalties averaged by leave-one-out error, as in the transfer.
    """
    scores, predictions, errors = [], [], []
    for filter_ in filters_for(x.shape[1])[:3]:
        z = filter_.apply(x)
        basis = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)[2][:150].T
        nothing = np.empty((0, basis.shape[1]))
        rows = Rows(z @ basis, y, nothing, np.empty((0, y.shape[1])), nothing)
        path = solve(rows, RELATIVE)
        scores.append(np.mean(path.left_out**2, axis=1))
        errors.append(path.left_out)
        predictions.append(path.predict(filter_.apply(test) @ basis))
    score = np.concatenate(scores)
    best = score.min(axis=0)
    weights = np.exp(-(score / best - 1) / 0.3)
    weights /= weights.sum(axis=0)
    predicted = np.einsum("cm,ckm->km", weights, np.concatenate(predictions))
    left_out = np.einsum("cm,cnm->nm", weights, np.concatenate(errors))
    return predicted, np.quantile(np.abs(left_out), COVERAGE, axis=0)


def make(kind: str, where: tuple, seed: int) -> Case:
    """A case of corn, tablets or simulated."""
    return {"corn": corn, "tablets": tablets, "simulated": simulated}[kind](*where, seed)


def job(arguments):
    """((kind, where, n, situation), seed, peers) -> what was found, arrays over properties.

    peers: which of them: "here", "old" for those in the environment of old packages, "slow".
    """
    (kind, where, n, situation), seed, peers = arguments
    case = make(kind, where, seed)
    if situation == "unpaired":
        # Disjoint: half of the training samples were measured on the source, half on the target.
        order = np.random.default_rng([seed, 9]).permutation(len(case.y))
        ours, theirs = np.array_split(order, 2)
        transfer = fit(
            case.x_source[ours],
            case.source_axis,
            case.y[ours],
            target_axis=case.target_axis,
            unpaired=case.x_target[theirs],
        )
        task = unpaired_task(case, ours, theirs)
    else:
        chosen = kennard_stone(case.x_source, n)
        task = paired_task(case, chosen)
        transfer = fit(
            case.x_source,
            case.source_axis,
            case.y,
            case.x_source[chosen],
            case.x_target[chosen],
            case.target_axis,
            case.y[chosen] if situation == "labelled" else None,
            library_labels=situation == "labelled",
        )
    try:
        intervals = transfer.predict_intervals(case.x_test)
    except TransferError as error:  # pragma: no cover - a bug would be told by the figures
        raise RuntimeError(str(error)) from error
    ceiling, native_half = native(case.x_target, case.y, case.x_test)
    found = {
        "r2": r2(intervals.values, case.y_test),
        "rmsep": rmse(intervals.values, case.y_test),
        "native_r2": r2(ceiling, case.y_test),
        "native_rmsep": rmse(ceiling, case.y_test),
        "predicted": transfer.predicted_rmsep,
        "valid": transfer.valid_properties,
        "covered": np.mean(
            (intervals.low <= case.y_test) & (case.y_test <= intervals.high), axis=0
        ),
        "half": transfer.expected.half_width,
        "native_half": native_half,
        "method": transfer.method,
    }
    if peers:
        predictions = all_peers(task, UNPAIRED_PEERS if situation == "unpaired" else PEERS)
        if "old" in peers:
            more, found["versions"] = old_peers.predictions(task)
            predictions |= more
        if "slow" in peers:
            predictions |= slow_peers.predictions(task)
        found["peers"] = {k: r2(v, case.y_test) for k, v in predictions.items()}
    return arguments, found
