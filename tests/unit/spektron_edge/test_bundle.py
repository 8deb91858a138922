from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pickle
import stat
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spektron_edge.bundle import Bundle, BundleError, read_bundle, write_bundle
from spektron_edge.bundle import archive as module
from spektron_edge.bundle import arrays as arrays_module
from spektron_edge.bundle.manifest import Manifest
from tests import bundles

FIXTURES = [HealthCheck.function_scoped_fixture]


def refusal(path) -> str:
    with pytest.raises(BundleError) as caught:
        read_bundle(path)
    return str(caught.value)


def with_entries(path, change, **manifest):
    """A zip of the tiny bundle's entries after `change(entries)`."""
    entries = bundles.raw_entries(**manifest)
    return bundles.write_raw(path, change(entries) or entries)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "b.spektron"


# ---- sound bundles


def test_what_was_written_is_read(tiny_bundle):
    bundle = read_bundle(tiny_bundle)
    assert dict(bundle.members) == bundles.members()
    assert bundle.manifest.product(None).name == "grain"
    np.testing.assert_array_equal(bundle.vector("theta0.npy"), bundles.THETA)
    assert set(bundle.arrays("golden.npz")) == set(bundles.golden_arrays())


def test_the_id_names_the_bundle_and_the_hash_of_its_manifest(tiny_bundle):
    with zipfile.ZipFile(tiny_bundle) as archive:
        digest = hashlib.sha256(archive.read("manifest.json")).hexdigest()
    assert read_bundle(tiny_bundle).id == f"tiny-1-{digest[:12]}"


def test_writing_the_same_contents_gives_the_same_bytes(tiny_bundle, tmp_path):
    contents = bundles.members()
    manifest = Manifest.model_validate(bundles.manifest(contents))
    again = tmp_path / "sub" / "again.spektron"
    write_bundle(again, manifest, dict(reversed(contents.items())))
    assert again.read_bytes() == tiny_bundle.read_bytes()
    assert [p.name for p in again.parent.iterdir()] == ["again.spektron"]


def test_writing_replaces_a_bundle_as_a_whole(path):
    bundles.write_tiny(path)
    before = read_bundle(path).id
    bundles.write_tiny(path, version=2)
    assert read_bundle(path).id != before


def test_writing_members_that_the_manifest_does_not_list_is_refused(path):
    contents = bundles.members()
    manifest = Manifest.model_validate(bundles.manifest(contents))
    with pytest.raises(BundleError, match=r"extra\.bin"):
        write_bundle(path, manifest, {**contents, "extra.bin": b"x"})
    assert not path.exists()


def test_several_products_share_a_bundle(path):
    bundles.write_tiny(path, products=[bundles.product("grain"), bundles.product("flour")])
    assert read_bundle(path).manifest.product("flour").name == "flour"


# ---- files that are no bundle


def test_a_missing_file_is_named(path):
    assert "no such bundle" in refusal(path)


def test_a_folder_is_no_bundle(tmp_path):
    assert "not a readable bundle" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x00" * 5000])
def test_what_is_no_zip_is_refused(path, content):
    path.write_bytes(content)
    assert "not a readable bundle" in refusal(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_zip_is_refused(tiny_bundle, path, share):
    raw = tiny_bundle.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    assert "not a readable bundle" in refusal(path)


def test_an_encrypted_member_is_refused(tiny_bundle, path):
    raw = bytearray(tiny_bundle.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.find(signature) + at] |= 1
    path.write_bytes(raw)
    assert "encrypted" in refusal(path)


def test_an_unknown_compression_is_refused(tiny_bundle, path):
    raw = bytearray(tiny_bundle.read_bytes())
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        raw[raw.find(signature) + at] = 93
    path.write_bytes(raw)
    assert "not a readable bundle" in refusal(path)


@settings(suppress_health_check=FIXTURES, deadline=None)
@given(data=st.data())
def test_no_damage_leads_to_anything_but_a_clear_refusal(tiny_bundle, path, data):
    raw = bytearray(tiny_bundle.read_bytes())
    directory = raw.find(b"PK\x01\x02")
    places = st.one_of(
        st.integers(0, len(raw) - 1), st.integers(directory, len(raw) - 1), st.integers(0, 60)
    )
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        raw[at] = value
    path.write_bytes(raw)
    try:
        bundle = read_bundle(path)
    except BundleError:
        return
    # The damage was where nothing counts, such as a date.
    assert dict(bundle.members) == bundles.members()


# ---- members


def test_without_a_manifest_it_is_no_bundle(path):
    with_entries(path, lambda entries: entries[1:])
    assert "has no manifest.json" in refusal(path)


def test_a_changed_member_is_named(path):
    def change(entries):
        entries[3] = (entries[3][0], entries[3][1] + b"x")

    with_entries(path, change)
    assert "theta0.npy does not match its hash" in refusal(path)


def test_a_missing_member_is_named(path):
    with_entries(path, lambda entries: entries[:-1])
    assert "'golden.npz' is missing" in refusal(path)


def test_an_unlisted_member_is_named(path):
    with_entries(path, lambda entries: [*entries, ("evil.py", b"x")])
    assert "'evil.py' is not in the manifest" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("which", [0, 1], ids=["manifest", "graph"])
def test_a_member_that_appears_twice_is_refused(path, which):
    with_entries(path, lambda entries: [*entries, entries[which]])
    assert "appears twice" in refusal(path)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b", "..", ".hidden", "folder/"])
def test_a_member_name_with_a_path_is_refused(path, name):
    contents = {**bundles.members(), name: b"x"}
    document = json.dumps(bundles.manifest(contents)).encode()
    bundles.write_raw(path, [("manifest.json", document), *contents.items()])
    assert "plain file name" in refusal(path)


def test_too_many_members_are_not_read(path):
    extra = [(f"m{i}", b"") for i in range(module.MAX_MEMBERS)]
    with_entries(path, lambda entries: entries + extra)
    assert "larger than it may be" in refusal(path)


def test_a_member_beyond_its_cap_is_not_read(path, monkeypatch):
    monkeypatch.setattr(module, "MAX_MEMBER_BYTES", 60_000)
    with_entries(path, lambda entries: [*entries, ("big", bytes(60_001))])
    assert "'big' is larger than a member may be" in refusal(path)


def test_the_sum_of_all_members_is_capped(path, monkeypatch):
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 1000)
    with_entries(path, lambda entries: entries)
    assert "larger than it may be" in refusal(path)


@pytest.mark.parametrize("claim", [10, 2**31])
def test_a_member_that_lies_about_its_size_is_refused(path, claim):
    with_entries(path, lambda entries: [*entries, ("liar", bytes(100_000))])
    raw = bytearray(path.read_bytes())
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<I", claim)
    path.write_bytes(raw)
    assert refusal(path)


# ---- what no bundle holds


def edited(path, change):
    """Change the file's bytes in place."""
    raw = bytearray(path.read_bytes())
    path.write_bytes(change(raw) or raw)
    return path


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_folder_or_device_is_no_member(path, kind):
    entries = bundles.raw_entries()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = ((kind if name == "theta0.npy" else 0) | 0o644) << 16
            archive.writestr(info, data)
    assert "'theta0.npy' is a link, folder or device" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_no_bundle_uses_is_refused(path, method):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in bundles.raw_entries():
            archive.writestr(name, data, compress_type=method)
    assert "compressed in a way" in refusal(path)


@pytest.mark.parametrize("name", ["a\\b", "C:evil", "x" * 200, "ä.npy", "a b", "", "a\x00.npy"])
def test_an_odd_member_name_is_refused(path, name):
    with_entries(path, lambda entries: [*entries, ("placeholder", b"x")])
    raw = path.read_bytes()
    # zipfile would not write some of these, so the file is made longer or shorter by hand.
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in bundles.raw_entries():
            archive.writestr(member, data)
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        archive.writestr(info, b"x")
    assert path.read_bytes() != raw
    assert "must be a plain file name" in refusal(path)


def test_what_is_added_before_or_after_a_bundle_is_refused(tiny_bundle, path):
    sound = tiny_bundle.read_bytes()
    for raw in (b"#!/bin/sh\n" + sound, sound + b"more", sound[:-2] + b"\x04\x00more"):
        path.write_bytes(raw)
        assert "not a readable bundle" in refusal(path)


def test_a_directory_of_millions_is_refused_before_it_is_parsed(path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("the directory was parsed"))
    raw = b"PK\x01\x02".ljust(46, b"\0") * 100_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(raw), 0, 0)
    path.write_bytes(raw + end)
    assert "larger than it may be" in refusal(path)


def test_a_zip64_directory_is_refused_before_it_is_parsed(path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("the directory was parsed"))
    locator = b"PK\x06\x07".ljust(20, b"\0")
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 20, 0, 0)
    path.write_bytes(locator + end)
    assert "zip64" in refusal(path)


def test_a_file_beyond_all_caps_is_not_read(path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("the directory was parsed"))
    with path.open("wb") as stream:
        stream.truncate(2**40)  # sparse
    assert "larger than it may be" in refusal(path)


def test_an_endless_member_is_read_no_further_than_it_claims(path):
    """A claim of 64 MiB, from a stream that unpacks to more than a gigabyte."""
    entries = bundles.raw_entries()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = bytes(2**20)
    packed = b"".join(packer.compress(chunk) for _ in range(1100)) + packer.flush()
    bundles.write_raw(path, [*entries, ("endless", b"")])
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries:
            archive.writestr(name, data)
        archive.writestr("endless", packed)  # stored; its headers are turned to deflate below

    def lie(raw):
        local = raw.rfind(b"PK\x03\x04")
        struct.pack_into("<H", raw, local + 8, zipfile.ZIP_DEFLATED)
        central = raw.rfind(b"PK\x01\x02")
        struct.pack_into("<H", raw, central + 10, zipfile.ZIP_DEFLATED)
        struct.pack_into("<L", raw, central + 24, module.MAX_MEMBER_BYTES)

    edited(path, lie)
    tracemalloc.start()
    assert "not a readable bundle" in refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * module.MAX_MEMBER_BYTES


def test_a_pipe_is_not_waited_for(path):
    os.mkfifo(path)
    assert "not a file" in refusal(path)


# ---- the manifest


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"colour": "blue"}, "colour"),
        ({"format": 2}, "format"),
        ({"version": 0}, "version"),
        ({"name": "No Name"}, "name"),
        ({"products": []}, "products"),
        ({"products": [bundles.product(), bundles.product()]}, "share a name"),
        ({"products": [bundles.product(theta="absent.npy")]}, "absent.npy"),
        ({"products": [bundles.product(quantity="reflectance")]}, "quantity"),
        ({"products": [bundles.product(properties=[])]}, "properties"),
        ({"files": {"encoder.fp32.onnx": "not a hash"}}, "files"),
        ({"opset": float("nan")}, "opset"),
        ({"devices": []}, "devices"),
        ({"devices": [""]}, "devices"),
        ({"products": [bundles.product(source_spectra="lost")]}, "source_spectra"),
        ({"products": [bundles.product(source_spectra="left_out")]}, "transfer_without"),
        ({"products": [bundles.product(transfer_without="all")]}, "transfer_without"),
        (
            {"products": [bundles.product(source_spectra="encrypted", transfer_without="some")]},
            "encrypted_spectra",
        ),
        (
            {
                "products": [
                    bundles.product(
                        source_spectra="encrypted",
                        transfer_without="some",
                        encrypted_spectra="absent.enc",
                    )
                ]
            },
            "absent.enc",
        ),
    ],
)
def test_a_manifest_that_breaks_the_schema_is_refused_by_name(path, changes, where):
    with_entries(path, lambda entries: entries, **changes)
    message = refusal(path)
    assert "manifest refused" in message
    assert where in message


@pytest.mark.parametrize("grid", [{"points": 7}, {"step_nm": 0.0}, {"start_nm": -1.0}])
def test_an_impossible_grid_is_refused(path, grid):
    changed = {**bundles.GRID.model_dump(), **grid}
    with_entries(path, lambda entries: entries, products=[bundles.product(grid=changed)])
    assert "manifest refused" in refusal(path)


@pytest.mark.parametrize("twice", ["properties", "graphs"])
def test_names_within_a_product_are_unique(path, twice):
    product = bundles.product()
    product[twice].append(product[twice][0])
    with_entries(path, lambda entries: entries, products=[product])
    assert "share a" in refusal(path)


@pytest.mark.parametrize("document", [b"", b"[]", b"{", b"\xff\xfe", b"null", b"[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(path, document):
    with_entries(path, lambda entries: [("manifest.json", document), *entries[1:]])
    assert "manifest refused" in refusal(path)


def test_the_grid_is_equidistant():
    np.testing.assert_allclose(bundles.GRID.axis(), np.linspace(1200.0, 2380.0, 60))


# ---- arrays inside members


class Surprise:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def holding(data: bytes) -> Bundle:
    manifest = Manifest.model_validate(bundles.manifest(bundles.members()))
    return Bundle(manifest, {"m": data}, "id")


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


OBJECTS = np.array([Surprise()], dtype=object)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        pickle.dumps(Surprise()),
        bundles.npy(OBJECTS, allow_pickle=True),
        zipped(**{"x.npy": bundles.npy(OBJECTS, allow_pickle=True)}),
        zipped(x=b"no array"),
        zipped(**{"x.npy": header("(1000000000000,)")}),
        zipped(**{"x.npy": header("(")}),
        bundles.npy(np.zeros(3)),
    ],
    ids=["empty", "text", "pickle", "objects", "npz of objects", "no npy", "vast", "torn", "npy"],
)
def test_what_is_no_archive_of_arrays_is_refused(data):
    with pytest.raises(BundleError, match="m: not an array archive"):
        holding(data).arrays("m")


def test_an_array_makes_no_room_for_numbers_that_it_does_not_bring():
    claims = header("(500000000,)") + bytes(64)
    tracemalloc.start()
    for data in (claims, zipped(**{"x.npy": claims})):
        with pytest.raises(BundleError, match="claims more numbers than it brings"):
            holding(data).arrays("m") if data is not claims else holding(data).vector("m")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_an_archive_of_too_many_arrays_is_not_unpacked():
    many = {f"a{i}.npy": bundles.npy(np.zeros(1)) for i in range(arrays_module.MAX_ARRAYS + 1)}
    with pytest.raises(BundleError, match="larger than it may be"):
        holding(zipped(**many)).arrays("m")


def test_an_archive_that_unpacks_beyond_the_cap_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(arrays_module, "MAX_BYTES", 1000)
    with pytest.raises(BundleError, match="larger than it may be"):
        holding(zipped(**{"x.npy": bundles.npy(np.zeros(1000))})).arrays("m")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pickle.dumps(Surprise()),
        bundles.npy(OBJECTS, allow_pickle=True),
        header("(1000000000000,)"),
        header("(-1,)"),
        bundles.npy(np.zeros(3)),
        bundles.npy(np.zeros((3, 1), np.float32)),
        bundles.npz({"x": np.zeros(3, np.float32)}),
    ],
    ids=["empty", "pickle", "objects", "vast", "negative", "float64", "matrix", "npz"],
)
def test_what_is_no_float32_vector_is_refused(data):
    with pytest.raises(BundleError, match="m: "):
        holding(data).vector("m")


@settings(deadline=None)
@given(data=st.data(), kind=st.sampled_from(["npz", "npy"]))
@pytest.mark.filterwarnings("ignore")
def test_no_damage_to_an_array_leads_to_anything_but_a_refusal(data, kind):
    vector = np.arange(5, dtype=np.float32)
    raw = bytearray(bundles.npz({"x": vector}) if kind == "npz" else bundles.npy(vector))
    edits = st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255))
    for at, value in data.draw(st.lists(edits, max_size=5)):
        raw[at] = value
    bundle = holding(bytes(raw))
    with contextlib.suppress(BundleError):
        bundle.arrays("m") if kind == "npz" else bundle.vector("m")
