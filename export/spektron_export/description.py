"""What the manifest says of a bundle that was made from a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from spektron_edge.bundle.manifest import (
    Adaptation,
    Evaluation,
    Figures,
    Graph,
    Grid,
    Manifest,
    Precision,
    Product,
    Property,
    Provenance,
)
from spektron_edge.bundle.merit import Merit
from spektron_edge.bundle.observability import Observability
from spektron_edge.inference.gradient import INPUTS, TERMS
from spektron_train.checkpoint import Checkpoint
from spektron_train.data.instrument_noise import NOISE_SEEDS

from .gradient_parity import TOLERANCE
from .graph_set import FILES, GRADIENT_FILE, GraphMembers
from .graphs import IR_VERSION, OPSET
from .protection import Protection

THETA, SOURCE, GOLDEN, ADAPT_GOLDEN = "theta0.npy", "source.npz", "golden.npz", "adapt.golden.npz"
# Golden outputs travel to other processors and onnxruntime versions. Measured on 240 spectra of
# corn, x86-64 against ARM: INT8 moves z by 5e-3 and a value by 0.024 of its RMSEP, where a float
# that differs in its last digit is rounded to the next step; fp32 moves z by 6e-6. fp16 is 6e-5
# from fp32 on a CPU, and an engine may sum in half precision too. Latents have unit variance.
_Z_TOLERANCE: dict[Precision, float] = {"fp32": 1e-3, "fp16": 5e-3, "int8": 2e-2}
_Y_TOLERANCE_OVER_RMSEP = 0.05


def describe(
    checkpoint: Checkpoint,
    graphs: GraphMembers,
    members: Mapping[str, bytes],
    precisions: Sequence[Precision],
    figures: Mapping[str, dict[str, Merit]],
    version: int,
    keep: Protection,
    made: Provenance,
    observed: tuple[Observability, ...] = (),
) -> Manifest:
    """The manifest of `members`; figures by engine and property; keep: what was kept back."""
    card, config = checkpoint.card, checkpoint.encoder.config
    # Of each its own: by the smallest alone, one spectrum in twenty would miss it on an ARM.
    y_tolerance = {n: _Y_TOLERANCE_OVER_RMSEP * m.rmsep for n, m in figures["fp32"].items()}
    adapt = Adaptation(
        file=GRADIENT_FILE,
        weights_file=graphs.weights_of(GRADIENT_FILE),
        inputs=INPUTS,
        terms=TERMS,
        golden=ADAPT_GOLDEN,
        tolerance=TOLERANCE,
    )
    product = Product(
        name=card.product,
        grid=Grid(start_nm=config.start, step_nm=config.step, points=config.points),
        properties=tuple(
            Property(
                name=p.name,
                unit=p.unit,
                column=column,
                calibrated_min=p.calibrated_min,
                calibrated_max=p.calibrated_max,
            )
            for column, p in enumerate(card.properties)
        ),
        graphs=tuple(
            Graph(
                file=FILES[precision],
                weights_file=graphs.weights_of(FILES[precision]),
                precision=precision,
                y_tolerance=y_tolerance,
                z_tolerance=_Z_TOLERANCE[precision],
            )
            for precision in precisions
        ),
        theta=THETA,
        source=SOURCE,
        golden=GOLDEN,
        adapt=adapt if GRADIENT_FILE in members else None,
        evaluation=Evaluation(
            data=f"{card.held_out_name}; simulated detector noise, 1e-4 absorbance rms at A = 0; "
            f"median of {NOISE_SEEDS} noise seeds",
            samples=len(checkpoint.held_out["y"]),
            figures={
                precision: {name: Figures(**m.as_dict()) for name, m in figures[precision].items()}
                for precision in precisions
            },
        ),
        notes=card.notes,
        observability=observed,
        **keep.product_fields,
    )
    return Manifest(
        name=card.product,
        version=version,
        devices=keep.serials,
        opset=OPSET,
        ir_version=IR_VERSION,
        products=(product,),
        files={name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
        provenance=made,
    )
