from pathlib import Path

import pytest

from escapement_jax.config.curiosity import ExploreConfig


def test_sizes_follow_from_strategy_and_budget():
    default = ExploreConfig()
    assert (default.starts, default.start_kind, default.rollouts_per_batch) == (
        300,
        "unstable-focus",
        100,
    )
    source = ExploreConfig(strategy="imgep", behaviour="source-oscillation")
    assert (source.starts, source.start_kind) == (1000, "random")
    assert ExploreConfig(start="random").starts == 200
    assert ExploreConfig(budget=100_000).rollouts_per_batch == 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 200}, "less than the first 300 rollouts"),
        ({"budget": 0}, "budget is 0"),
        ({"step_size": 0.0}, "step_size"),
        ({"weight_range": (1.0, -1.0)}, "lower bound first"),
        ({"num_kept": 2000}, "keep fewer"),
        ({"strategy": "imgep"}, "source-oscillation"),
    ],
)
def test_impossible_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ExploreConfig(**options)


def test_a_model_needs_something_to_vary():
    ExploreConfig().check_complete()
    with pytest.raises(ValueError, match="--vary"):
        ExploreConfig(model=Path("model.xml")).check_complete()
