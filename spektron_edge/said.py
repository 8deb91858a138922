"""Why something is as it is: a code with values, and the one place that makes an English sentence
of them.

Command line, logs, ledgers and MQTT have the sentence, the instrument's page has code and values
and makes a sentence of its own language (docs/decisions/0052-text-of-the-page.md). What lies in a
file as a sentence is read back by the same template that has made it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from string import Formatter

Value = str | int | float
_BETWEEN = "; "
_WHOLE, _NUMBER = r"-?\d+", r"[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf|nan)"


class Sayings(Enum):
    """code -> its English sentence; values in braces, formatted as `str.format` does.

    A value without a format is a name or a text of somebody; `detail` is a fault's own text.
    """

    # Of what is in use, or might be.
    TRANSFER_UNKNOWN = "it is not known whether a transfer is in use: {detail}"
    TRANSFER_IN_USE = "transfer {number:d} is in use on this instrument"
    MADE_FOR_ANOTHER = "it is for {product} of {bundle}, not {other} of {other_bundle}"
    VALID_FOR_NONE = "it is valid for no property"
    NOT_CONNECTED = "no instrument is connected"
    ANOTHER_INSTRUMENT = "it is for {serial}, not {here}"
    MODEL_UNKNOWN = "it is not known what predicts now"
    UNUSABLE = "it cannot be used: {detail}"
    TRANSFER_LEFT = (
        "transfer {number:d} of {serial} is for {bundle}: `spektron-edge transfer rollback`, or a "
        "new transfer"
    )
    ADAPTATION_LEFT = (
        "adaptation {number:d} of {serial} is for {bundle}: `spektron-edge adapt reset`"
    )
    OWN_CALIBRATION = "the bundle's own calibration"
    ADAPTATION = "adaptation {number:d}"
    IN_USE_UNKNOWN = "what is in use cannot be read: {detail}"
    SLOT_ROLLED_BACK = "rolled back"
    NO_ORDERLY_END = "{starts:d} starts, none of which came to an orderly end"

    # Of a sample of a transfer.
    ONE_SCAN = "one scan only: nothing shows that the sample lay still"
    SCANS_SCATTER = "its scans scatter {times:.0f} times as much as the others'"
    CUP_OF = "this looks like the cup that was added as {other}"
    ANOTHER_CUP = "this looks like sample {other}, not {sample}"
    OUTLIER = "it differs from its source spectrum {times:.1f} times as much as the others"
    UNLIKE_ALL = (
        "it is unlike every source sample: {times:.1f} times as far from the nearest as any source "
        "sample is; what is predicted for it is a guess"
    )
    CONTRADICTS = "its {property} is {own:g} in the source, and {given:g} was given"
    NOT_IN_HAND = "it is not among the samples in hand that the start named"
    NO_SPECTRUM = (
        "it holds no spectrum, only a straight line or smooth curve: check lamp, reference and "
        "that the sample lies in place, then measure it again"
    )
    AXIS_LOWERED = (
        "it fits the source only with wavelengths lowered by about {nm:.0f} nm: correct the "
        "instrument's axis, or the first line of the files"
    )
    AXIS_RAISED = (
        "it fits the source only with wavelengths raised by about {nm:.0f} nm: correct the "
        "instrument's axis, or the first line of the files"
    )
    UPSIDE_DOWN = (
        "it is the source's spectrum upside down: write absorbance, log10(1/R), not reflectance, "
        "or measure the reference again, then add it again"
    )
    LITTLE_IN_COMMON = (
        "it has little in common with the source's spectrum (agreement {agreement:.2f} of 1): "
        "check that the sample itself lies in place, reference and axis, then measure it again"
    )

    # What to do next in a transfer.
    AGAIN_ANOTHER_CUP = "measure {sample} again: it looks like another cup"
    AGAIN_UNLIKE = "measure {sample} again: it is unlike the source"
    MEASURE_NEXT = "measure sample {sample} next"
    MORE_NEEDED = "{count:d} more samples of the source are needed at least"
    NOT_JUDGED = "it cannot be judged now: {detail}"
    FINISH = "`spektron-edge transfer finish` when all are measured"

    # For a drift.
    DRIFT_NM_INSTRUMENT = (
        "{statistic} is {size:.2f} nm since scan {scan:d}; changed: the instrument ({telling})"
    )
    DRIFT_NM = (
        "{statistic} is {size:.2f} nm since scan {scan:d}; changed: instrument or samples "
        "({telling})"
    )
    DRIFT_INSTRUMENT = (
        "{statistic} is {size:.1f} times the usual since scan {scan:d}; changed: the instrument "
        "({telling})"
    )
    DRIFT = (
        "{statistic} is {size:.1f} times the usual since scan {scan:d}; changed: instrument or "
        "samples ({telling})"
    )
    STREAM_BACK = "the stream is back where the source is"
    NEAREST_STATISTIC = "nearest: {statistic}"
    SERVICE_COUNTS = "{what}, by {who}, {at}; counts for so many sound spectra"
    SERVICED = "service: {what} by {who}"
    SAMPLE_OUTSIDE = "stability sample {sample} is outside its interval"
    STILL_GROWS = (
        "the change still grows (rank correlation with time {correlation:.2f} over {samples:d} "
        "samples): a fouled window, a lamp that warms up or a sample that dries does that"
    )

    # Of the guard, against an adaptation.
    NOT_MOVED = "the mean spectrum did not move by more than samples make it"
    FEW_SAMPLES = "there are {samples:.0f} distinct samples only"
    NO_NEARER = "the mean of held-out spectra comes no nearer to the source's"
    FARTHER = "held-out spectra lie farther from the calibration's domain"
    OBJECTIVE_WORSE = "the objective is worse on held-out spectra"
    SOURCE_WOULD_MOVE = "{property} of the source's own spectra would move by {rmsep:.2f} RMSEP"
    TERM_BEYOND = "{term} of {value:.3g} is beyond its cap of {cap:.3g}"
    RESIDUAL_BEYOND = "a residual of {value:.3g} is beyond {cap:.3g}"
    THETA_BEYOND = "theta moved by {value:.3g}, and may by {cap:.3g}"
    SAMPLE_WOULD_LEAVE = (
        "stability sample {sample} would be outside its interval; if it was last measured before "
        "the change, `spektron-edge adapt stability` measures it again"
    )
    NO_DRIFT_EXPLAINS = "no drift of an instrument explains the change; was a part exchanged?"
    OF_SAMPLES_PERHAPS = "nothing says that the instrument changed, and not the samples"
    ANOTHER_SCALE = "another scale explains it, which dilution and path length do as well"
    STILL_BEYOND = "corrected spectra are still beyond the applicability limits"

    # Of the audit log.
    CHAIN_HOLDS = "every line follows the one before it"
    FROM_LINE = (
        "every line follows the one before it, from line {line:d} on; those before were moved into "
        "an archive"
    )
    HEAD_AT = "the published head is line {line:d}, {behind:d} lines before the end"
    LAST_UNFINISHED = "the last line is unfinished"
    SET_ASIDE = "set aside when their chain was broken or cut: {files}"
    NO_LOG = "there is no log at {path}"

    # Whatever was written otherwise, by somebody or by another version.
    AS_WRITTEN = "{text}"

    @property
    def code(self) -> str:
        """Stable name."""
        return self.name.lower()

    def of(self, **values: Value) -> Said:
        """With these values."""
        return Said(self, values)


@dataclass(frozen=True)
class Said:
    """kind: what is said; values: by the names in its braces."""

    kind: Sayings
    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The kind's stable name."""
        return self.kind.code

    def __str__(self) -> str:
        return self.kind.value.format(**self.values)


def together(said: Iterable[Said]) -> str:
    """One text of several."""
    return _BETWEEN.join(map(str, said))


def read(text: str) -> Said:
    """What this sentence says, with its values as they were rounded in it."""
    return _read(text) or Sayings.AS_WRITTEN.of(text=text)


def read_all(text: str) -> tuple[Said, ...]:
    """What `together` made one text of. Sentences may hold what stands between them."""
    parts, found, begun = text.split(_BETWEEN) if text else [], [], 0
    while begun < len(parts):
        for end in range(begun + 1, len(parts) + 1):
            if (one := _read(_BETWEEN.join(parts[begun:end]))) is not None:
                break
        else:
            one, end = Sayings.AS_WRITTEN.of(text=parts[begun]), begun + 1
        found.append(one)
        begun = end
    return tuple(found)


def _read(text: str) -> Said | None:
    """By the template that says most of it itself."""
    for kind, pattern, kinds in _patterns():
        if (match := pattern.fullmatch(text)) is not None:
            found = match.groupdict()
            return Said(kind, {name: kinds[name](value) for name, value in found.items()})
    return None


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[Sayings, re.Pattern[str], dict[str, type[Value]]]]:
    made = []
    for kind in Sayings:
        if kind is Sayings.AS_WRITTEN:
            continue
        pattern, kinds, literal = "", {}, 0
        for before, name, form, _ in Formatter().parse(kind.value):
            pattern, literal = pattern + re.escape(before), literal + len(before)
            if name:
                kinds[name] = _type(form or "")
                inner = {int: _WHOLE, float: _NUMBER}.get(kinds[name], ".+?")
                pattern += f"(?P<{name}>{inner})"
        made.append((literal, kind, re.compile(pattern, re.DOTALL), kinds))
    return [(kind, pattern, kinds) for _, kind, pattern, kinds in sorted(made, key=_most)]


def _most(one: tuple[int, Sayings, re.Pattern[str], dict[str, type[Value]]]) -> int:
    return -one[0]


def _type(form: str) -> type[Value]:
    if not form:
        return str
    return int if form == "d" else float
