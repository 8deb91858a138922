"""From a session's samples to a fitted transfer, and to what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np

from spektron_edge.clock import Stamp
from spektron_edge.transfer import Transfer, TransferError, fit
from spektron_edge.transfer.agreement import LEAST_LIKENESS
from spektron_edge.transfer_state import About

from .figures import methods_tried, points, rmsep_of_new, spectra_figure
from .fit_result import PropertyResult
from .footing import Footing
from .material import Material, Reviewed
from .report import Report, SampleRow
from .source import Source
from .two_ways import two_groups
from .work import Work


def fit_material(source: Source, given: Material) -> Transfer:
    """By pairs where there are enough, else by the target's own samples. Raises TransferError."""
    if given.paired:
        return fit(
            source.x,
            source.axis,
            source.y,
            source.x[list(given.rows)],
            given.target,
            given.axis,
            given.labels,
        )
    return fit(
        source.x,
        source.axis,
        source.y,
        target_axis=given.axis,
        unpaired=given.unpaired_target,
        unpaired_labels=given.unpaired_labels,
    )


def check_quantity(work: Work, transfer: Transfer) -> None:
    """Raises TransferError for spectra from files that the fit had to convert: the daemon, which
    predicts with the transfer, has absorbance."""
    if transfer.conversion != "none" and any(not added.taken for added in work.current):
        told = "reflectance" if transfer.conversion == "-log10" else "no absorbance"
        raise TransferError(
            f"the spectra that came from files are {told}, and the instrument predicts from "
            "absorbance: write log10(1/R) and add each of them again"
        )


def state_about(work: Work, source: Source, given: Material, who: str, now: Stamp) -> About:
    """What a fitted transfer does not know of itself."""
    return About(
        bundle=source.bundle,
        product=source.product,
        serial=work.serial,
        by=who,
        created=datetime.fromtimestamp(now.utc_s, timezone.utc),
        samples=given.pairs or given.unpaired,
        properties=source.properties,
    )


def property_results(source: Source, transfer: Transfer) -> tuple[PropertyResult, ...]:
    """Per property, in the order of the source's."""
    expected = transfer.expected
    return tuple(
        PropertyResult(
            name=name,
            unit=unit,
            valid=bool(transfer.valid_properties[j]),
            rmsep=float(expected.rmsep[j]),
            rmsep_low=float(expected.low[j]),
            rmsep_high=float(expected.high[j]),
            method=transfer.method[j],
        )
        for j, (name, unit) in enumerate(source.properties)
    )


def report_of(
    work: Work,
    source: Source,
    found: Reviewed,
    given: Material,
    transfer: Transfer,
    version: int | None,
    who: str,
    made: str,
) -> Report:
    """Everything that the report shows."""
    aside = {given.pairs[i] for i in transfer.report.get("set_aside", [])}
    predicted = points(source, given, transfer)
    return Report(
        bundle=source.bundle,
        product=source.product,
        serial=work.serial,
        by=who,
        made=made,
        version=version,
        properties=property_results(source, transfer),
        basis=transfer.expected.basis,
        why=_why(given, transfer),
        samples=tuple(_rows(found, given, aside)),
        points=predicted,
        rmsep_of_new=rmsep_of_new(predicted),
        tried=methods_tried(transfer),
        spectra=spectra_figure(source, given, transfer),
        warnings=(
            *_warnings(found, given, aside, transfer),
            *_two_ways(source, given),
            *_widened(given, transfer, [name for name, _ in source.properties]),
        ),
        details={key: _plain(value) for key, value in transfer.report.items()},
    )


def _why(given: Material, transfer: Transfer) -> str:
    report = transfer.report
    if np.any(given.fitted_labels):
        return (
            "No sample was measured on both instruments. Source and target keep their own means, "
            "and slopes are found from both, by the reference values of this instrument's samples."
        )
    if not report["pairs"]:
        return (
            "No sample was measured on both instruments. Means of both were made equal, and "
            "directions in which the target scatters more than the source do not matter. That both "
            "sets are of one population is assumed, and nothing measured stands behind it."
        )
    tried = methods_tried(transfer)
    simple = ", ".join(sorted(report["baselines"]))
    return (
        f"{len(tried)} ways of transferring were tried, each judged by leaving out every source "
        f"sample and every pair. Those as good as the best ({tried[0][0]}), to within what "
        f"{report['pairs']} pairs can tell, are averaged; {simple} take over a property only where "
        f"held-out pairs are clearly for it. Spectra of the pairs agree by "
        f"{report['agreement_of_pairs']:.2f} (1: alike up to a constant; below 0.3: cups mixed up)."
    )


def _rows(found: Reviewed, given: Material, aside: set[str]) -> list[SampleRow]:
    rows = []
    for added in found.samples:
        judged = found.judgements[added.sample]
        if added.sample in given.left_out:
            used = "left out"
        elif added.sample in aside:
            used = "set aside by the fit"
        elif added.sample in given.pairs:
            used = "pair"
        else:
            used = "for judging" if given.paired else "unpaired"
        labels = ", ".join(f"{name} {value:g}" for name, value in added.labels.items())
        kind = "of the source" if added.paired else "new"
        why = "; ".join(judged.reasons)
        rows.append(SampleRow(added.sample, kind, added.scans, labels, judged.verdict, used, why))
    return rows


def _warnings(found: Reviewed, given: Material, aside: set[str], transfer: Transfer) -> list[str]:
    said = [f"Sample {name} was left out: {why}." for name, why in given.left_out.items()]
    said += [
        f"Sample {name} was used though it is suspect: {'; '.join(judged.reasons)}."
        for name, judged in found.judgements.items()
        if judged.reasons and not judged.left_out
    ]
    said += [
        f"The fit set sample {name} aside: the others are better without it."
        for name in sorted(aside)
    ]
    if not given.paired and not np.any(given.fitted_labels):
        said.append("No pairs: nothing that was measured on both instruments stands behind this.")
    if given.paired and given.unpaired:
        if np.any(np.isfinite(given.unpaired_labels)):
            said.append("New samples with reference values were kept for judging, not for the fit.")
        else:
            said.append("New samples without reference values did not enter the fit: pairs did.")
    agreement = transfer.report.get("agreement_of_pairs")
    if agreement is not None and not np.any(transfer.valid_properties) and agreement <= 0.3:
        said.append("Spectra do not follow their partners: most likely cups were mixed up.")
    if transfer.report.get("likeness_of_means", 1.0) <= LEAST_LIKENESS:
        said.append("The spectra are unlike the source's: other samples, or another axis or unit.")
    return said


def _two_ways(source: Source, given: Material) -> list[str]:
    if not given.paired:
        return []
    footing, rows = Footing.of(source, given.axis), list(given.rows)
    group = two_groups(footing.filtered[rows] - footing.moved(given.target, rows, given.target))
    if not group:
        return []
    names = ", ".join(given.pairs[i] for i in group)
    return [
        f"Samples {names} differ from their source spectra in another way than the others: were "
        "they measured on another instrument, or was this one changed in between?"
    ]


def _widened(given: Material, transfer: Transfer, names: Sequence[str]) -> list[str]:
    """Of intervals that one sample makes; names: of the properties."""
    if given.paired:
        samples = list(given.pairs)
    else:
        samples = [s for s, used in zip(given.unpaired, given.fitted_labels, strict=True) if used]
    return [
        f"The interval of {names[j]} is as wide as it is for sample {samples[row]} alone: its "
        "error when left out is 2.5 times the next largest, or more. Check its reference value."
        for j, row in enumerate(transfer.report["interval_widened_by"])
        if row is not None
    ]


def _plain(value: object) -> object:
    """The fit's own report as JSON has it: no tuples, and null for what is no number."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
