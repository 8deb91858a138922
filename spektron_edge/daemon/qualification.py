"""Performance qualification by schedule, as the main path sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from spektron_edge.clock import Clock
from spektron_edge.config.file import Config
from spektron_edge.config.qualification import QualificationSettings
from spektron_edge.prediction.pipeline import Outcome
from spektron_edge.prediction.serving import Serving
from spektron_edge.qualification.book import BookStore, Calibration
from spektron_edge.qualification.watch import QualificationWatch

from .opening import Opened


def qualification_watch(
    config: Callable[[], Config], serving: Serving, clock: Clock, opened: Opened
) -> QualificationWatch:
    """Of the daemon's own state folder, instrument and model."""

    def in_use() -> tuple[str, Calibration] | None:
        if serving.serial is None:
            return None
        beside, model = serving.in_use, serving.model
        calibration = Calibration(
            bundle=model.bundle_id,
            product=model.product.name,
            transfer=None if beside.transfer is None else beside.transfer.id,
            adaptation=None if beside.adaptation is None else beside.adaptation.id,
        )
        return serving.serial, calibration

    return QualificationWatch(
        BookStore(config().state_dir),
        in_use,
        lambda: config().qualification.every_s,
        lambda: clock.now().utc_s,
        opened.notices,
        opened.audit.action,
    )


def marked(outcome: Outcome, watch: QualificationWatch, settings: QualificationSettings) -> Outcome:
    """The same, invalid where a qualification is due or has failed and the settings say so."""
    if settings.predictions == "warn":
        return outcome
    fault = watch.against(time.monotonic())
    return outcome if fault is None else replace(outcome, reasons=(*outcome.reasons, fault.code))
