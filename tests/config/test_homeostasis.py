"""Settings of `escapement recover`: ranges, and TOML there and back."""

import pytest

from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.config.toml import read_toml, to_toml


def test_settings_survive_toml(tmp_path):
    config = RecoverConfig(law="spline", horizons=(16, 32), relative_noise=0.05, robust=True)
    path = tmp_path / "recover.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert read_toml(path, RecoverConfig) == config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizons": (16, 50)}, "multiples of 16"),
        ({"horizons": ()}, "multiples of 16"),
        ({"relative_noise": -0.1}, "relative_noise is -0.1"),
        ({"most_types": 0}, "most_types is 0"),
        ({"law_size": 2}, "law_size is 2"),
        ({"type_resolution": 1.0}, "type_resolution is 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RecoverConfig(**options)
