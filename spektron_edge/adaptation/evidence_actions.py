"""The daemon's commands `adapt-service-event` and `adapt-stability`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spektron_edge.clock import Clock
from spektron_edge.commands.asked import Asked, CommandOutcome
from spektron_edge.faults import Fault, Faults

from .jobs import AdaptationJobs
from .requests import Service, Stable, taken


def evidence_actions(
    jobs: AdaptationJobs,
) -> dict[str, Callable[[Asked], CommandOutcome]]:
    """Command -> what carries it out. They raise Fault, which answers them."""
    clock = Clock()

    def service(asked: Asked) -> CommandOutcome:
        given = taken(asked, Service)
        who = given.by or asked.operator
        event = jobs.known.store.service(given.what, who, clock.now())
        return CommandOutcome(True, f"recorded: {event.what}, by {event.who}")

    def stability(asked: Asked) -> CommandOutcome:
        given = taken(asked, Stable)
        message, astray = stability_measured(
            jobs, str(given.sample), asked.operator, given.scans, clock
        )
        return CommandOutcome(True, message, {"astray": astray})

    return {"adapt-service-event": service, "adapt-stability": stability}


def stability_measured(
    jobs: AdaptationJobs, name: str, who: str, scans: int, clock: Clock
) -> tuple[str, tuple[str, ...]]:
    """The sample that lies in the beam now is a stability sample: what came of it, and which
    properties are outside their intervals.

    Raises Fault(SAMPLE_REFUSED) for fewer scans of it, ADAPTATION_INPUT and the state folder's.
    """
    serving, stream = jobs.serving, jobs.stream
    serial = serving.serial
    if stream is None or serial is None:
        detail = "no stream is followed: the mode is frozen, a transfer is in use, or it just began"
        raise Fault(Faults.ADAPTATION_INPUT, detail)
    found = list(stream.in_beam)[-scans:]
    if len(found) < scans:
        detail = (
            f"{len(found)} sound spectra of the sample in the beam, and {scans} are asked for: "
            f"leave it there for {scans - len(found)} more scans"
        )
        raise Fault(Faults.SAMPLE_REFUSED, detail)
    model = serving.model
    names = [p.name for p in model.product.properties]
    figures = model.product.evaluation.figures.get(model.graph.precision, {})
    values = np.array([scan.values for scan in found])
    sample = jobs.known.store.stability(
        name,
        who,
        clock.now(),
        instrument=(serial, model.calibration),
        spectra=np.array([scan.spectrum for scan in found]),
        values={n: values[:, j] for j, n in enumerate(names)},
        errors={n: f.rmsep for n, f in figures.items()},
    )
    if sample.measured == 1:
        told = ", ".join(
            f"{n} {v:.4g} +- {sample.half_width[n]:.2g}" for n, v in sample.value.items()
        )
        return f"{name} is a stability sample from now on: {told}", ()
    if sample.astray:
        jobs.following.leave(
            f"stability sample {name} is outside its interval: {', '.join(sample.astray)}"
        )
        return f"{name} is outside its interval: {', '.join(sample.astray)}", sample.astray
    return f"{name} is within its interval", ()
