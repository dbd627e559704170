"""Settings of the decomposition: defaults of each method, and refusals."""

import pytest

from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.config.toml import from_mapping, to_toml


def test_each_method_brings_its_recipe():
    source, debiased = DecomposeConfig(method="source"), DecomposeConfig()
    assert (source.recipe.width, source.recipe.loss, source.recipe.min_delta) == (1024, "l1", 3e-3)
    assert (debiased.recipe.width, debiased.recipe.loss) == (256, "l2")
    assert debiased.has_constant_channel
    assert not source.has_constant_channel


def test_what_is_told_replaces_the_recipe():
    config = DecomposeConfig(method="source", width=32, loss="l2", constant_channel=True)
    assert (config.recipe.width, config.recipe.loss) == (32, "l2")
    assert config.has_constant_channel


def test_settings_survive_a_file(tmp_path):
    import tomllib

    config = DecomposeConfig(method="source", anchors=("lasso",), width=7)
    table = tomllib.loads(to_toml(config))["decompose"]
    assert from_mapping(table, DecomposeConfig) == config


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"folds": 1}, "folds is 1"),
        ({"anchors": ("oracle",)}, "anchors has 'oracle'"),
        ({"stop_on": "test", "test_fraction": 0.0}, "set aside test individuals"),
        ({"validation_fraction": 0.0}, "validation_fraction is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"replicates": 0}, "replicates is 0"),
    ],
)
def test_impossible_settings_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        DecomposeConfig(**settings)
