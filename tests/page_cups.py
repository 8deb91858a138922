"""A transfer as the page's server tells it, and what commands make of it."""

from __future__ import annotations

from typing import Any

from tests import page_answers as answers

Answer = dict[str, Any]
_KNOWN = [str(number) for number in range(1, 81)]
_PREDICTED = {"rmsep": 0.158, "rmsep_low": 0.11, "rmsep_high": 0.228}


class Cups:
    """No transfer is open. wrong: cups that look like another one when measured first."""

    def __init__(self, wrong: tuple[str, ...] = ()) -> None:
        self._wrong = list(wrong)
        self._held: list[str] = []
        self._samples: list[Answer] | None = None
        self._fit: str | None = None
        self._last: Answer | None = None
        self._kept: list[Answer] = []

    def told(self) -> Answer:
        """GET /transfer. A fit goes on until it was told once."""
        fitting, self._fit = self._fit, None
        told = {
            "serial": "VIRT-0001",
            "open": self._opened(),
            "fitting": fitting is not None,
            "last": self._last,
            "kept": self._kept,
            "samples_known": _KNOWN,
        }
        if fitting is not None:
            self._ended(fitting)
        return told

    def take(self, name: str, arguments: Answer) -> Answer:
        """A command's message and result."""
        if name == "transfer-start":
            self._held, self._samples, self._last = arguments["samples"], [], None
        elif name == "transfer-add":
            return self._added(arguments["sample"])
        elif name == "transfer-finish":
            self._fit = "dry run" if arguments.get("dry_run") else "use"
        return {"message": f"{name} done", "result": {}}

    def _added(self, sample: str) -> Answer:
        assert self._samples is not None
        suspect = sample in self._wrong
        if suspect:
            self._wrong.remove(sample)
        why = [answers.reason("another_cup", other="99", sample=sample)] if suspect else []
        quality = "bad" if suspect else "good"
        told = {"sample": sample, "scans": 3, "quality": quality, "reasons": why, "labels": {}}
        self._samples = [s for s in self._samples if s["sample"] != sample] + [told]
        self._last = None
        verdict = "suspect" if suspect else "good"
        return {"message": f"sample {sample} is {verdict}", "result": {"verdict": verdict}}

    def _opened(self) -> Answer | None:
        if self._samples is None:
            return None
        measured = {sample["sample"] for sample in self._samples}
        wanted = [sample for sample in self._held if sample not in measured]
        return {
            "id": "05e282bb33a5",
            "started": answers.ago(60),
            "samples": self._samples,
            "next": wanted[0] if wanted else None,
            "wanted": wanted,
            "steps": [],
        }

    def _ended(self, how: str) -> None:
        property_ = {"unit": "% by mass", "valid": True, "method": "average", **_PREDICTED}
        predicted = {"moisture": property_}
        accepted = how == "use"
        self._last = {"predicted": predicted, "accepted": accepted}
        self._last["work"] = "0fe2"
        if accepted and self._samples is not None:
            kept = {
                "number": 1,
                "made": answers.ago(0),
                "by": "anna",
                "id": "t-77aa",
                "hindered": None,
                "serial": "VIRT-0001",
                "product": "corn",
                "samples": [sample["sample"] for sample in self._samples],
                "in_use": True,
                "predicted": predicted,
            }
            self._kept, self._samples = [kept], None
