"""Power cuts while adaptations change: `python -m tests.adaptation_cuts FOLDER [--lose]`.

As `tests.power_cuts`: proposals, two approvals, one used by itself, rejection, rollback and reset.
Every fsync and every rename is a place to die; afterwards everything that was not done yet is done.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.bundle import read_bundle
from spektron_edge.config.loading import load_config
from spektron_edge.inference import Model, load_model
from tests import bundles
from tests.adaptations import SERIAL, adapted, agreed, put
from tests.power_cuts import cut_at_each_step


def _device(folder: Path) -> Path:
    folder.mkdir(parents=True)
    bundles.write_tiny(folder / "tiny.spektron")
    path = folder / "edge.toml"
    path.write_text(
        'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "tiny.spektron"\n'
        '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
    )
    return path


def _proposed(store: AdaptationStore, model: Model, gain: float, mode: str) -> None:
    put(store, model, adapted(model, gain), mode=mode)


# Each with the number of things that are told once it is done.
STEPS = (
    (1, lambda store, model: _proposed(store, model, 0.01, "propose")),
    (2, lambda store, model: store.approve(1, agreed("anna"), 2, model)),
    (4, lambda store, model: store.approve(1, agreed("bert"), 2, model)),
    (5, lambda store, model: _proposed(store, model, 0.02, "auto")),
    (6, lambda store, model: store.install(2, model)),
    (7, lambda store, model: store.roll_back(SERIAL, "anna")),
    (8, lambda store, model: _proposed(store, model, 0.03, "propose")),
    (9, lambda store, model: store.reject(3, "anna", "no")),
    (10, lambda store, model: store.reset(SERIAL, "anna")),
)


def go_on(config: Path) -> None:
    """Do all that has not been done yet."""
    store = AdaptationStore(load_config(config).state_dir)
    model = load_model(read_bundle(load_config(config).bundle_path))
    for told, step in STEPS:
        if len(store.untold()) < told:
            step(store, model)
            assert len(store.untold()) == told


def look(config: Path) -> dict[str, object]:
    """What is there; raises where anything that is pointed at cannot be read."""
    store = AdaptationStore(load_config(config).state_dir)
    adaptations = store.read()
    for entry in adaptations.held:
        store.batch(entry, store.load(entry).header)
    active = adaptations.active(SERIAL)
    changes = [a.details["after"] for a in adaptations.untold if "after" in a.details]
    return {
        "told": len(adaptations.untold),
        "active": None if active is None else active.number,
        "agrees": (changes or ["factory"])[-1] == ("factory" if active is None else active.id),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lose", action="store_true")
    parser.add_argument("--most", type=int)
    given = parser.parse_args()
    cut_at_each_step(given.folder, _device, go_on, look, lose=given.lose, most=given.most)
