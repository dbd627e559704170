from pathlib import Path

import pytest

from escapement_jax.config.toml import read_toml
from escapement_jax.config.training import PretrainConfig, TrainConfig

DOCUMENTS = Path(__file__).resolve().parents[2] / "configs/genealogy/source_documents.toml"


def test_the_documents_example_has_their_settings():
    config = read_toml(DOCUMENTS, TrainConfig)
    config.check_complete()
    assert (config.d_model, config.num_heads, config.num_layers, config.window) == (64, 4, 2, 64)
    assert (config.steps, config.clip) == (2_000, 5.0)
    assert (config.learning_rate_encoder, config.learning_rate_sizes) == (3e-4, 1e-2)
    assert (config.max_temperature, config.min_temperature) == (1.0, 0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"look_ahead": -1}, "look_ahead is -1"),
        ({"d_model": 10}, "d_model is 10"),
        ({"min_temperature": 2.0}, "above max_temperature"),
        ({"estimator": "vimco", "draws": 1}, "draws = 2"),
    ],
)
def test_training_refuses_what_is_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options)


def test_what_is_missing_is_named():
    rates = {"mutation_rate": 1e-8, "recombination_rate": 1e-8}
    with pytest.raises(ValueError, match="recombination_rate is unknown"):
        TrainConfig(mutation_rate=1e-8).check_complete()
    with pytest.raises(ValueError, match="warm_start = trees needs a file; give --trees"):
        TrainConfig(warm_start="trees", **rates).check_complete()
    with pytest.raises(ValueError, match="haplotypes is 5; give an even number"):
        PretrainConfig(haplotypes=5)
