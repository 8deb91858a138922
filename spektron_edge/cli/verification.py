"""What `spektron-edge verify` checks: everything that can be known of a bundle on this machine."""

from __future__ import annotations

from pathlib import Path

from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.trust import read_trust
from spektron_edge.inference import try_graphs


def verify_bundle(path: Path, keys: Path | None) -> dict[str, object]:
    """Hashes, canonical manifest, golden vectors of every graph and, with keys, the signature.

    Raises the Fault of the first check that does not hold.
    """
    try:
        bundle = read_bundle(path)
        if not bundle.canonical:
            raise BundleError(f"{path}: the manifest is not in canonical form; export it again")
        signer = None if keys is None else read_trust(keys).judge(bundle)
        tried = try_graphs(bundle)
    except BundleError as error:
        raise error.fault from None
    claimed = ", ".join(s.key_id for s in bundle.signatures)
    if keys is None:
        signatures = f"claimed by {claimed}; not checked without --keys" if claimed else "none"
    else:
        signatures = f"signed by {signer}"
    return {
        "bundle": bundle.id,
        "hashes": f"{len(bundle.members)} members hold",
        "manifest": "canonical",
        "signatures": signatures,
        "golden vectors": "; ".join(
            [f"hold: {', '.join(tried.holds)}", *(f"but not {other}" for other in tried.differs)]
        ),
        "bound to": ", ".join(bundle.manifest.devices or ()) or "any instrument",
    }
