import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_train.data.commands import describe, import_shards, list_datasets
from spektron_train.data.readers.csv_table import Declared
from spektron_train.data.shards import INDEX, MOST_OPEN, Position, Shards, write_shards
from spektron_train.data.spectral_set import DataError
from tests.unit.spektron_train.layouts import spectral_set, write_csv


def numbered(start, n, channels=11, **changes):
    """Rows whose sample ids and first value are their number in the whole set."""
    axis = np.linspace(1100.0, 1200.0, channels)
    x = np.full((n, channels), 0.5)
    x[:, 0] = np.arange(start, start + n)
    ids = tuple(str(i) for i in range(start, start + n))
    return spectral_set(n, axis, seed=start, spectra=x, sample_ids=ids, **changes)


@pytest.fixture
def folder(tmp_path):
    blocks = (numbered(i, 10) for i in range(0, 100, 10))
    write_shards(blocks, tmp_path / "set", rows_per_shard=7)
    return tmp_path / "set"


def test_every_row_comes_back_in_order(folder):
    shards = Shards(folder)
    assert (len(shards), shards.rows) == (15, 100)
    parts = [shards.read(i) for i in range(len(shards))]
    assert [i for part in parts for i in part.sample_ids] == [str(i) for i in range(100)]
    assert np.array_equal(np.concatenate([p.spectra[:, 0] for p in parts]), np.arange(100))
    assert parts[0].units == ("%", "g/kg")
    assert shards.card["properties"] == ["moisture", "oil"]
    with pytest.raises(DataError, match="shards 0 to 14, not 15"):
        shards.read(15)


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    per_shard=st.integers(1, 9),
    seed=st.integers(0, 2**32),
)
def test_any_blocks_round_trip(tmp_path_factory, sizes, per_shard, seed):
    folder = tmp_path_factory.mktemp("shards") / "set"
    blocks = [spectral_set(n, seed=seed + i) for i, n in enumerate(sizes)]
    write_shards(iter(blocks), folder, per_shard)
    shards = Shards(folder)
    read = [shards.read(i) for i in range(len(shards))]
    for what in ("spectra", "references"):
        a, b = ([getattr(p, what) for p in parts] for parts in (blocks, read))
        assert np.array_equal(np.concatenate(a), np.concatenate(b), equal_nan=True)
    assert all(len(p) == per_shard for p in read[:-1])


def test_a_set_without_references_round_trips(tmp_path):
    part = spectral_set(references=np.empty((5, 0)), properties=(), units=())
    write_shards([part], tmp_path / "set", 2)
    assert next(Shards(tmp_path / "set").batches(4, 0, 0)).references.shape == (4, 0)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_share_no_row_and_cover_the_epoch(folder, world):
    size, seen = 8, []
    for rank in range(world):
        for batch in Shards(folder).batches(size, 3, 0, rank, world):
            assert len(batch) == size
            assert np.array_equal(batch.spectra[:, 0], [int(i) for i in batch.sample_ids])
            seen.extend(batch.sample_ids)
    assert len(seen) == len(set(seen)) == 100 // (size * world) * size * world


def test_order_depends_on_seed_and_epoch_alone(folder):
    def ids(seed, epoch):
        return [i for batch in Shards(folder).batches(10, seed, epoch) for i in batch.sample_ids]

    assert ids(0, 0) == ids(0, 0)
    assert len({tuple(ids(s, e)) for s, e in [(0, 0), (0, 1), (1, 0)]}) == 3
    assert sorted(map(int, ids(0, 0))) == list(range(100))


def test_a_restart_goes_on_exactly(folder):
    shards = Shards(folder)
    assert shards.steps(7, 2) == 7
    assert shards.position(24, 7, 2) == Position(3, 3)
    whole = [b.sample_ids for b in shards.batches(7, 5, 3, rank=1, world=2)]
    rest = [b.sample_ids for b in Shards(folder).batches(7, 5, 3, rank=1, world=2, start=3)]
    assert rest == whole[3:]


def test_a_restart_reads_only_what_it_needs(folder):
    shards = Shards(folder)
    next(shards.batches(10, 0, 0, start=9))
    assert len(shards._checked) <= 1 + 3 * MOST_OPEN


def test_batches_keep_few_shards_open(folder):
    shards, most = Shards(folder), 0
    for _ in shards.batches(5, 0, 0):
        most = max(most, len(shards._open))
    assert 0 < most <= MOST_OPEN < len(shards)


def test_memory_does_not_grow_with_the_set(tmp_path):
    n, channels, per_shard = 40, 2000, 100
    size = 60 * n * channels * 8
    tracemalloc.start()
    try:
        blocks = (numbered(n * i, n, channels) for i in range(60))
        write_shards(blocks, tmp_path / "set", per_shard)
        for _ in Shards(tmp_path / "set").batches(16, 0, 0):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 38e6
    assert peak < 8e6


@pytest.mark.parametrize(
    "name", ["axis.npy", "00002.spectra.npy", "00002.references.npy", "00002.names.json"]
)
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_a_damaged_file_is_named(folder, name, damage):
    path = folder / name
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(raw[:-3])
    elif damage == "flip":
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"")
    with pytest.raises(DataError, match=name):
        for _ in Shards(folder).batches(10, 0, 0):
            pass


def _interrupted():
    yield numbered(0, 10)
    raise KeyboardInterrupt


def test_interrupted_writing_is_recognised_and_not_written_over(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_shards(_interrupted(), tmp_path / "set", 4)
    with pytest.raises(DataError, match="is incomplete"):
        Shards(tmp_path / "set")
    with pytest.raises(DataError, match="not empty"):
        write_shards([numbered(0, 10)], tmp_path / "set", 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "other"}',
        '{"format": "spektron-shards-1", "files": {"axis.npy": 1}, "shards": []}',
        '{"format": "spektron-shards-1", "files": {"axis.npy": "0"}, "shards": [{"rows": -1}]}',
        "\udcff",
        "[" * 100_000,
        '{"format": "spektron-shards-1", "files": {"axis.npy": "0"}, "shards": [{"rows": 1}]}',
    ],
)
def test_a_damaged_index_is_refused(folder, text):
    (folder / INDEX).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=INDEX):
        Shards(folder)


def test_an_index_that_lies_about_rows_is_refused(folder):
    index = json.loads((folder / INDEX).read_text())
    index["shards"][0]["rows"] = 10**12
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(DataError, match=r"00000\.spectra\.npy has 7 rows"):
        Shards(folder).read(0)


def test_wrong_requests_are_refused(folder, tmp_path):
    with pytest.raises(DataError, match="no folder of shards"):
        Shards(tmp_path)
    with pytest.raises(DataError, match="gave no spectra"):
        write_shards([], tmp_path / "none", 4)
    with pytest.raises(DataError, match="0 rows cannot"):
        write_shards([], tmp_path / "none", 0)
    with pytest.raises(DataError, match="differ in quantity"):
        write_shards([numbered(0, 3), numbered(3, 3, quantity="raman")], tmp_path / "mix", 4)
    with pytest.raises(DataError, match="not one batch of 60 for each of 2"):
        Shards(folder).steps(60, 2)
    with pytest.raises(DataError, match="rank 2 of 2"):
        next(Shards(folder).batches(2, 0, 0, rank=2, world=2))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_shards([numbered(0, 3)], tmp_path / "file", 4)


def test_a_file_is_imported_and_described(tmp_path):
    part = spectral_set(9)
    path = write_csv(tmp_path / "a.csv", part)
    declared, seen = Declared("nm", "absorbance"), []
    done = import_shards(path, tmp_path / "s", seen.append, declared=declared, rows_per_shard=4)
    assert done == {"folder": str(tmp_path / "s"), "spectra": 9, "shards": 3, "skipped": {}}
    assert sum(seen) == 9
    assert describe(tmp_path / "s")["spectra"] == 9
    said = describe(path, declared=declared)
    assert said["known"] == {"moisture": 9, "oil": 4}
    assert (said["channels"], said["from"], said["to"]) == (11, 1100.0, 1200.0)
    with pytest.raises(DataError, match="no set by name"):
        describe(str(tmp_path / "nowhere"))


def test_every_named_set_is_listed_and_says_where_to_get_it(tmp_path):
    rows = list_datasets()
    assert len({row["name"] for row in rows}) == len(rows) == 13
    for row in rows:
        assert all(row.values())
        assert describe(row["name"])["name"] == row["name"]
    with pytest.raises(DataError, match="figshare"):
        import_shards("qm9s-ir", tmp_path / "s", lambda n: None)


def test_a_named_set_becomes_shards(tmp_path):
    done = import_shards("corn", tmp_path / "s", lambda n: None, rows_per_shard=100)
    assert (done["spectra"], done["shards"]) == (240, 3)
    assert Path(done["folder"]).is_dir()
