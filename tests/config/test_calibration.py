import pytest

from escapement_jax.config.calibration import CalibrateConfig
from escapement_jax.config.toml import read_toml, to_toml


def test_the_default_is_complete():
    config = CalibrateConfig()
    config.check_complete()
    assert config.simulation(7).seed == 7
    assert config.simulation(7).haplotypes == 8


def test_toml_gives_back_what_was_written(tmp_path):
    config = CalibrateConfig(haplotypes=4, pairs=2, demography="zigzag", replicates=3)
    (tmp_path / "study.toml").write_text(to_toml(config))
    assert read_toml(tmp_path / "study.toml", CalibrateConfig) == config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicates": 0}, "replicates is 0"),
        ({"pairs": 5}, "8 haplotypes make only 4 pairs"),
        ({"mutation_rate": 0.0}, "mutation_rate is 0.0; it must be above 0"),
        ({"haplotypes": 9}, "haplotypes is 9; give a multiple of the ploidy"),
        ({"genotype_error": 0.5}, "genotype_error is 0.5"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        CalibrateConfig(**options)
