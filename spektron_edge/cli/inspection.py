"""What `spektron-edge inspect` shows of a bundle."""

from __future__ import annotations

from pathlib import Path

from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.inference import load_gradient, try_graphs


def inspect_bundle(path: Path) -> dict[str, object]:
    """Identity, contents and measured figures; every product's golden vectors are checked.

    Raises Fault(BUNDLE_INVALID).
    """
    try:
        bundle = read_bundle(path)
        manifest = bundle.manifest
        tried = try_graphs(bundle)
        for product in manifest.products:
            if product.adapt:
                load_gradient(bundle, product.name)
    except BundleError as error:
        raise error.fault from None
    report: dict[str, object] = {
        "bundle": bundle.id,
        "file": f"{path} ({path.stat().st_size / 2**20:.1f} MiB)",
        "made": f"{manifest.provenance.created:%Y-%m-%d}, commit {manifest.provenance.git_commit}",
        "version": manifest.version,
        "bound to": ", ".join(manifest.devices or ()) or "any instrument",
        "signatures": ", ".join(s.key_id for s in bundle.signatures) or "none",
        "opset / IR": f"{manifest.opset} / {manifest.ir_version}",
        "checks": "; ".join(
            ["hashes and golden vectors hold on this machine"]
            + [f"but not {other}" for other in tried.differs]
        ),
    }
    for product in manifest.products:
        grid = product.grid
        end = grid.start_nm + grid.step_nm * (grid.points - 1)
        report[f"product {product.name}"] = [
            f"grid {grid.start_nm:g} to {end:g} nm, {grid.points} points, {product.quantity}",
            f"measured on {product.evaluation.data}, n = {product.evaluation.samples}",
            *(
                f"{precision} {name}: RMSEP {f.rmsep:.4f}, R2 {f.r2:.3f}, bias {f.bias:+.4f}, "
                f"SEP {f.sep:.4f}, RPD {f.rpd:.1f}"
                for precision, figures in product.evaluation.figures.items()
                for name, f in figures.items()
            ),
            f"calibration spectra: {product.source_spectra.replace('_', ' ')}",
            *([f"not possible: {product.transfer_without}"] if product.transfer_without else []),
            *product.notes,
            *(seen.in_words for seen in product.observability),
        ]
    report["members"] = {n: f"{len(d):>9} bytes" for n, d in sorted(bundle.members.items())}
    return report
