import pytest

from spektron_train.data.simulate.domain import DOMAINS
from spektron_train.pretraining.config import (
    TERMS,
    ConfigError,
    differing_keys,
    load_config,
    parse_config,
    recipes,
)
from spektron_train.pretraining.session import check_launch
from tests.unit.spektron_train.pretrain_runs import smoke


@pytest.mark.parametrize("name", recipes())
def test_recipes_that_ship_can_be_used(name):
    config = load_config(name)
    assert config.encoder_config().points == DOMAINS[config.domain].grid[2]
    assert config.term_weights().composition == 1.0


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("domain = 'uv'\nsteps = 1", "domain"),
        ("steps = 1", "domain"),
        ("domain = 'nir'\nsteps = 0", "steps"),
        ("domain = 'nir'\nsteps = 1\nstep = 2", "step: Extra"),
        ("domain = 'nir'\nsteps = 1\nseed = -1", "seed"),
        ("domain = 'nir'\nsteps = 1\n[optimiser]\nrate = nan", "optimiser.rate"),
        ("domain = 'nir'\nsteps = 1\n[optimiser]\nrates = 1", "optimiser.rates"),
        ("domain = 'nir'\nsteps = 1\n[episodes]\nsamples = 9", "episodes.samples"),
        ("domain = 'nir'\nsteps = 1\n[episodes]\nviews = 1", "episodes.views"),
        ("domain = 'nir'\nsteps = 1\n[episodes]\nwindows = [[8, 256]]", "multiple of 16"),
        ("domain = 'nir'\nsteps = 1\n[episodes]\nwindows = [[704, 256]]", "do not fit"),
        ("domain = 'nir'\nsteps = 1\n[episodes]\nwindows = [[0, 32]]", "needs 64"),
        ("domain = 'nir'\nsteps = 1\n[encoder]\nwidth = 250", "number of heads"),
        ("domain = 'nir'\nsteps = 1\n[weights]\nchemistry = 1", "no term 'chemistry'"),
        ("domain = 'nir'\nsteps = 1\n[weights]\noptics = -1", "weights.optics"),
        ("domain = ", "is not TOML"),
    ],
)
def test_errors_name_file_and_key(tmp_path, text, key):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config(str(path))
    assert key in str(error.value)
    assert str(path) in str(error.value)


def test_unknown_recipe_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(ConfigError, match="smoke"):
        load_config("nirvana")
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(str(tmp_path))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_config(str(tmp_path / "binary.toml"))


def test_a_written_configuration_reads_back_the_same():
    config = smoke(weights={"optics": 0.25}, episodes={"windows": [[16, 256]]})
    assert parse_config(config.model_dump(mode="json"), "json") == config
    assert config.term_weights().optics == 0.25
    assert set(TERMS) >= {"composition", "bottleneck"}


def test_only_keys_that_change_numbers_make_another_run():
    same = smoke(checkpoint={"every": 1}, log={"every": 7})
    assert differing_keys(smoke(), same) == []
    other = smoke(optimiser={"rate": 2e-3}, weights={"optics": 1.0}, threads=2)
    assert differing_keys(smoke(), other) == ["optimiser.rate", "threads", "weights.optics"]


def test_episodes_must_divide_by_the_processes(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigError, match=r"episodes.per_step.*multiple of 3"):
        check_launch(smoke())
    with pytest.raises(ConfigError, match=r"validation.episodes"):
        check_launch(smoke(episodes={"per_step": 3}))


def test_fsdp_without_a_gpu_is_told_plainly(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ConfigError, match="FSDP needs GPUs"):
        check_launch(smoke())
