"""What operators chose: kept, shown, and given up where it does not fit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.cli.main import main
from spektron_edge.commands.asked import Asked
from spektron_edge.config.loading import load_config
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.choices import ChoiceStore
from spektron_edge.prediction.product import load_product
from spektron_edge.transfer_state import StateStore
from tests import bundles

from .turns import events, ready, stored, turn

SERIAL = "VIRT-0001"


@pytest.fixture
def bundle(tmp_path):
    """A bundle of two products, grain and flour."""
    tiny = read_bundle(bundles.write_tiny(tmp_path / "tiny.spektron"))
    (grain,) = tiny.manifest.products
    both = (grain, grain.model_copy(update={"name": "flour"}))
    path = tmp_path / "both.spektron"
    write_bundle(path, tiny.manifest.model_copy(update={"products": both}), tiny.members)
    return path


@pytest.fixture
def two(daemon, tmp_path, bundle):
    """A daemon that measures grain, and could measure flour."""
    text = (tmp_path / "edge.toml").read_text().splitlines()
    text[3] = f'bundle = "{bundle}"\nproduct = "grain"'
    (tmp_path / "edge.toml").write_text("\n".join(text))
    assert daemon._reload.reload().ok
    return daemon


def choose(daemon, product):
    request = Asked("anna", product)
    return daemon._commands.carrying.actions["choose-product"](request)


def test_another_product_is_measured_by_everything_that_reads_the_configuration(
    two, tmp_path, scan, make_scan
):
    outcome = choose(two, {"product": "flour"})
    assert outcome.message == "product grain -> flour"
    turn(two, ready(make_scan), scan(1))
    assert [r["model"]["product"] for r in stored(two) if "scan" in r] == ["flour"]
    config = load_config(tmp_path / "edge.toml")
    assert load_product(config).model.product.name == "flour"
    assert two._reload.reload().ok
    assert two._serving.model.product.name == "flour"
    assert choose(two, {"product": "configured"}).result["product"] == "grain"
    assert ChoiceStore(config.state_dir).read().product is None


def test_a_bundle_without_the_chosen_product_is_used_as_configured_and_that_is_said(
    two, tmp_path, tiny_bundle, bundle
):
    choose(two, {"product": "flour"})
    path = tmp_path / "edge.toml"
    text = path.read_text()
    path.write_text(text.replace(str(bundle), str(tiny_bundle)))
    assert two._reload.reload().ok
    assert two._serving.model.product.name == "grain"
    assert two._notices.codes == ("choice_unfit",)
    two._turn(0.0)
    assert "has no product 'flour', which anna chose" in events(two, "choice_unfit")[0]["message"]
    path.write_text(text)
    assert two._reload.reload().ok
    assert (two._serving.model.product.name, two._notices.codes) == ("flour", ())


def test_a_transfer_of_another_product_is_told(two, state, make_scan):
    serving = two._serving
    turn(two, ready(make_scan))
    header = state.header.model_copy(update={"bundle": serving.model.bundle_id})
    store = StateStore(two._config.state_dir)
    store.activate(store.add(replace(state, header=header), "anna"), "anna")
    two._serving.take_changes()
    assert serving.unfit is None
    assert "results are invalid" in choose(two, {"product": "flour"}).message


@pytest.mark.parametrize("product", [{"product": "barley"}, {"product": 3}, {}, {"prodct": "x"}])
def test_what_is_no_product_changes_nothing(two, product):
    with pytest.raises(Fault) as caught:
        choose(two, product)
    assert caught.value.kind is Faults.COMMAND_INPUT
    assert two._serving.model.product.name == "grain"


def test_a_damaged_file_is_a_fault_and_never_a_guess(two, tmp_path):
    choose(two, {"product": "flour"})
    (tmp_path / "state" / "choices" / "choices.json").write_text("{")
    with pytest.raises(Fault) as caught:
        load_product(load_config(tmp_path / "edge.toml"))
    assert caught.value.kind is Faults.STATE_DAMAGED
    two._state.close()
    with pytest.raises(Fault, match="damaged"):
        Daemon(tmp_path / "edge.toml")


def test_inspect_shows_what_was_chosen(two, tmp_path, capsys):
    choose(two, {"product": "flour"})
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "state"), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["chosen"]
    assert told.startswith("product flour, by anna at 20")
