import json
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.device_key import load_device_key, show_device_key
from spektron_edge.bundle.manifest import GraphFile
from spektron_edge.bundle.spectra import open_spectra
from spektron_edge.bundle.trust import read_trust
from spektron_edge.inference import load_model
from spektron_export import cli, graph_set, pack
from spektron_export.errors import ExportError, ParityError
from spektron_export.graphs import check_interface
from spektron_export.pack import export_bundle
from spektron_export.parity import LIMITS, run_torch
from spektron_export.provenance import created, git_commit
from spektron_export.quantise import constant_products, quantise
from spektron_train.checkpoint import save_checkpoint
from spektron_train.model.rounding import rounded_as_int8
from tests import bundles, signers

EPOCH = "1700000000"
WEIGHTS = "weights.onnx"
FILES_AND_WEIGHTS = {
    "encoder.qdq.onnx": {"file": "encoder.qdq.onnx"},
    **{
        name: {"file": name, "weights_file": WEIGHTS}
        for name in ("encoder.fp32.onnx", "encoder.fp16.onnx", "adapt.onnx")
    },
}
FILES = tuple(FILES_AND_WEIGHTS)


def test_bundle_loads_and_predicts_what_torch_predicts(checkpoint, exported):
    bundle = read_bundle(exported.path)
    x = np.asarray(checkpoint.held_out["x"])
    expected = run_torch(checkpoint.encoder, x)
    fp32_model = load_model(bundle, "corn", "fp32")
    out = fp32_model.infer(x)
    assert np.allclose(out.y, expected.y, atol=1e-4)
    assert np.allclose(out.z_chem, expected.z_chem, atol=1e-4)
    assert np.allclose(out.z_inst, expected.z_inst, atol=1e-4)
    int8 = load_model(bundle, "corn", "int8").infer(x)
    assert np.abs(int8.z_chem - expected.z_chem).max() < 0.5
    assert np.abs(int8.z_chem - expected.z_chem).max() > 1e-4
    assert bundle.manifest.version == 7
    assert bundle.id == exported.bundle_id


def test_rounding_in_torch_foretells_the_int8_graph(checkpoint, exported):
    held, calibration = (np.asarray(part["x"]) for part in (checkpoint.held_out, checkpoint.source))
    exact = run_torch(checkpoint.encoder, held).z_chem
    with rounded_as_int8(checkpoint.encoder, torch.from_numpy(calibration).float()):
        foretold = run_torch(checkpoint.encoder, held).z_chem
    int8 = load_model(read_bundle(exported.path), None, "int8").infer(held).z_chem
    error = np.sqrt(np.mean((int8 - exact) ** 2))
    assert np.sqrt(np.mean((foretold - exact) ** 2)) == pytest.approx(error, rel=0.5)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_batch_is_dynamic(exported, precision):
    model = load_model(read_bundle(exported.path), None, precision)
    x = np.random.default_rng(0).random((9, 700))
    whole = model.infer(x)
    for n in (1, 2, 9):
        part = model.infer(x[:n])
        assert part.y.shape == (n, 4)
        assert np.allclose(part.z_chem, whole.z_chem[:n], atol=2e-2)


def test_theta_is_an_input_that_matters(checkpoint, exported):
    model = load_model(read_bundle(exported.path), None, "fp32")
    x = np.asarray(checkpoint.held_out["x"], np.float32)
    names, offset = checkpoint.encoder.layout, 0
    base = model.backend.infer(x, model.theta)
    for name, size in zip(names.names, names.sizes, strict=True):
        theta = model.theta.copy()
        theta[offset : offset + size] += 0.05
        changed = model.backend.infer(x, theta)
        assert np.abs(changed.z_chem - base.z_chem).max() > 1e-4, name
        offset += size
    with torch.inference_mode():
        expected = checkpoint.encoder(torch.from_numpy(x), torch.from_numpy(theta))[1]
    assert np.allclose(changed.z_chem, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("file", FILES)
def test_graph_is_standard_pinned_and_clean(exported, file):
    data = read_bundle(exported.path).graph(GraphFile(**FILES_AND_WEIGHTS[file]))
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 10
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 20)]
    assert not model.metadata_props
    assert not any(n.metadata_props or n.doc_string for n in model.graph.node)
    for trace in (b"/home", b"/root", b"/work", b"/tmp", b"site-packages", b".py"):
        assert trace not in data
    assert str(Path.home()).encode() not in data


def test_only_the_transformers_constant_products_are_quantised(checkpoint, exported):
    model = onnx.load_from_string(read_bundle(exported.path).members["encoder.qdq.onnx"])
    products = 4 * checkpoint.encoder.config.layers
    kinds = [n.op_type for n in model.graph.node]
    assert kinds.count("QuantizeLinear") == products
    assert kinds.count("DequantizeLinear") == 2 * products
    weights = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT8]
    large = [onnx.numpy_helper.to_array(t) for t in weights if len(t.dims) == 2]
    assert len(large) == products
    # Seven bits: what keeps processors without VNNI from saturating.
    assert max(int(np.abs(w.astype(int)).max()) for w in large) <= 64
    zero_points = [onnx.numpy_helper.to_array(t) for t in weights if len(t.dims) < 2]
    assert all(not z.any() for z in zero_points)


def test_same_checkpoint_gives_the_same_bytes(
    checkpoint, exported, gradient_again, monkeypatch, loose
):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    monkeypatch.setattr(graph_set, "export_gradient", lambda _: gradient_again)
    again = exported.path.with_name("again.spektron")
    export_bundle(checkpoint, again, version=7, limits=loose)
    assert again.read_bytes() == exported.path.read_bytes()


def test_report_is_complete(exported):
    report = json.loads(json.dumps(exported.to_json()))
    assert report["bytes"] == exported.path.stat().st_size
    assert [p["graph"] for p in report["parity"]] == ["fp32", "fp16", "int8"]
    assert set(report["figures"]) == {"torch", "fp32", "fp16", "int8"}
    assert report["parity"][0]["z_chem"] < 1e-4
    assert 0 < report["gradient_error"] < 1e-4
    assert set(report["graph_bytes"]) == {*FILES, "weights.onnx"}


@pytest.mark.usefixtures("known_graphs")
def test_parity_out_of_tolerance_writes_nothing(checkpoint, tmp_path, monkeypatch, loose):
    path = tmp_path / "corn.spektron"

    def broken(model, x, theta, *, expected):
        out = quantise(model, x, theta, expected=expected)
        for tensor in out.graph.initializer:
            if tensor.name == "chem.mean.bias":
                value = onnx.numpy_helper.to_array(tensor) + np.float32(3)
                tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
        return out

    monkeypatch.setattr(graph_set, "quantise", broken)
    message = r"int8 against fp32: .* more than .*nothing was written; it drifts from chem.mean "
    with pytest.raises(ParityError, match=message):
        export_bundle(checkpoint, path, limits=loose, precisions=("int8",), adapt=False)
    assert list(tmp_path.iterdir()) == []
    save_checkpoint(tmp_path / "checkpoint", checkpoint)
    arguments = [str(tmp_path / "checkpoint"), "-o", str(path), "--no-adapt"]
    assert cli.main(arguments) == 5
    assert not path.exists()


@pytest.mark.usefixtures("known_graphs")
def test_oversized_graph_is_refused(checkpoint, tmp_path, monkeypatch, loose):
    monkeypatch.setattr(pack, "MAX_INT8_BYTES", 1000)
    with pytest.raises(ExportError, match="larger than"):
        export_bundle(checkpoint, tmp_path / "corn.spektron", limits=loose, adapt=False)
    assert list(tmp_path.iterdir()) == []


def test_frozen_batch_is_noticed(checkpoint, fp32):
    frozen = onnx.ModelProto()
    frozen.CopyFrom(fp32)
    for value in frozen.graph.input:
        if value.name == "x":
            value.type.tensor_type.shape.dim[0].dim_value = 2
    with pytest.raises(ExportError, match=r"x is \(2, 700\)"):
        check_interface(frozen, checkpoint.encoder)
    newer = onnx.ModelProto()
    newer.CopyFrom(fp32)
    newer.ir_version = 14
    with pytest.raises(ExportError, match="IR 14"):
        check_interface(newer, checkpoint.encoder)


def test_missing_products_are_noticed(fp32):
    assert len(constant_products(fp32)) == 8
    with pytest.raises(ExportError, match="found 8 products"):
        quantise(fp32, np.zeros((1, 700), np.float32), np.zeros(1, np.float32), expected=12)


def test_created_follows_source_date_epoch(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    assert created().timestamp() == int(EPOCH)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ValueError, match="not seconds"):
        created()
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert created().microsecond == 0


def test_git_commit_or_unknown(monkeypatch):
    commit = git_commit()
    assert commit == "unknown" or len(commit.removesuffix("+dirty")) == 40
    failed = subprocess.CompletedProcess([], 128, "", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    assert git_commit() == "unknown"
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert git_commit() == "unknown"


def test_cli_exit_codes(checkpoint, tmp_path, capsys):
    out = tmp_path / "corn.spektron"
    assert cli.main([str(tmp_path / "nowhere"), "-o", str(out)]) == 4
    assert "is not a checkpoint" in capsys.readouterr().err
    with pytest.raises(SystemExit) as error:
        cli.main([str(tmp_path), "-o", str(out), "--version", "0"])
    assert error.value.code == 2


def test_cli_writes_and_reports(checkpoint, loose, tmp_path, capsys, monkeypatch, request):
    monkeypatch.setitem(LIMITS, "int8", loose["int8"])
    save_checkpoint(tmp_path / "checkpoint", checkpoint)
    out = tmp_path / "corn.spektron"
    arguments = [str(tmp_path / "checkpoint"), "--precision", "fp16,int8", "--no-adapt", "--json"]
    assert cli.main([*arguments, "-o", str(out)]) == 0
    bundle = read_bundle(out)
    assert json.loads(capsys.readouterr().out)["id"] == bundle.id
    assert [g.precision for g in bundle.manifest.products[0].graphs] == ["int8", "fp16"]
    assert bundle.manifest.products[0].adapt is None
    # With nobody to share with, a graph is whole.
    assert {n for n in bundle.members if n.endswith(".onnx")} == {
        "encoder.fp16.onnx",
        "encoder.qdq.onnx",
    }
    request.getfixturevalue("known_graphs")
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert cli.main([*arguments, "-o", str(blocked / "x.spektron")]) == 6
    assert "cannot write" in capsys.readouterr().err


# ---- what a vendor keeps back


def export(checkpoint, loose, tmp_path, capsys, monkeypatch, *words):
    monkeypatch.setitem(LIMITS, "int8", loose["int8"])
    save_checkpoint(tmp_path / "checkpoint", checkpoint)
    out = tmp_path / "corn.spektron"
    status = cli.main([str(tmp_path / "checkpoint"), "-o", str(out), "--json", *words])
    return status, out, capsys.readouterr()


@pytest.mark.usefixtures("known_graphs")
def test_an_export_is_signed_bound_and_keeps_its_spectra_for_a_device(
    checkpoint, loose, tmp_path, capsys, monkeypatch
):
    show_device_key(tmp_path / "state", tmp_path / "device.pem")
    key = signers.key(tmp_path, "anna")
    observed = tmp_path / "ir.json"
    observed.write_text(json.dumps(bundles.observability()))
    status, out, said = export(
        *(checkpoint, loose, tmp_path, capsys, monkeypatch),
        *("--sign", str(key.private), "--spectra", f"for:{tmp_path / 'device.pem'}"),
        *("--serial", "X-1", "--serial", "X-2", "--version", "3"),
        *("--observability", str(observed)),
    )
    assert status == 0, said.err
    assert json.loads(said.out)["bytes"] == out.stat().st_size
    bundle = read_bundle(out)
    assert read_trust(signers.trusting(tmp_path / "trust", key)).judge(bundle).name == "anna"
    told = json.loads(out.with_name("corn.report.json").read_text())
    assert told["signatures"] == [s.key_id for s in bundle.signatures]
    assert told["kept_back"]["devices"] == ["X-1", "X-2"]
    assert "standardisation" in told["kept_back"]["not_possible"]
    assert bundle.manifest.devices == ("X-1", "X-2")
    product = bundle.manifest.product(None)
    assert [one.smiles for one in product.observability] == ["O=C=O"]
    assert "standardisation" in product.transfer_without
    assert not {"x", "y", "samples"} & set(bundle.arrays(product.source))
    opened = open_spectra(bundle, product, load_device_key(tmp_path / "state"))
    assert np.array_equal(opened["x"], checkpoint.source["x"])
    assert np.array_equal(opened["y"], checkpoint.source["y"])
    assert load_model(bundle).applicability.points == 700


@pytest.mark.usefixtures("known_graphs")
def test_golden_vectors_give_no_kept_back_spectrum_away(
    checkpoint, loose, exported, tmp_path, capsys, monkeypatch
):
    status, out, said = export(
        *(checkpoint, loose, tmp_path, capsys, monkeypatch), "--spectra", "left-out"
    )
    assert status == 0, said.err
    x = np.asarray(checkpoint.source["x"], np.float64)

    def nearest(bundle):
        golden = bundle.arrays("golden.npz")["x"]
        return np.min(np.linalg.norm(golden[:, None] - x[None], axis=2))

    # Two different calibration spectra are further apart than a spectrum and its noisy self.
    assert nearest(read_bundle(out)) > 3 * nearest(read_bundle(exported.path))
    assert read_bundle(out).manifest.product(None).source_spectra == "left_out"


def test_what_cannot_be_kept_back_is_said_before_any_work(
    checkpoint, loose, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(pack, "export_bundle", lambda *_, **__: pytest.fail("it went on"))
    for words, expected in (
        (("--spectra", "hidden"), 2),
        (("--spectra", "for:absent.pem"), 5),
        (("--sign", "absent.pem"), 5),
    ):
        status, out, said = export(checkpoint, loose, tmp_path, capsys, monkeypatch, *words)
        assert status == expected
        assert words[1].rpartition(":")[2] in said.err
        assert not out.exists()


@pytest.mark.parametrize("precision", ["int4", "", "int8,", "fp32 fp16"])
def test_a_precision_that_does_not_exist_is_a_usage_error(tmp_path, capsys, precision):
    with pytest.raises(SystemExit) as error:
        cli.main([str(tmp_path), "-o", "x", "--precision", precision])
    assert error.value.code == 2
    assert "no precision" in capsys.readouterr().err
