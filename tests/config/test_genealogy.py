from pathlib import Path

import pytest

from escapement_jax.config.genealogy import InferConfig, SimulateGenealogyConfig
from escapement_jax.config.toml import from_mapping, read_toml

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mutation_rate", 0.0),
        ("mutation_rate", float("inf")),
        ("recombination_rate", -1e-8),
        ("population_size", 0.0),
        ("draws", 0),
        ("sweeps", -1),
        ("time_levels", 1),
        ("bin_width", 0),
        ("epochs", 0),
        ("ancestral_misassignment", 1.0),
        ("ancestral_misassignment", float("nan")),
        ("genotype_error", 0.5),
        ("seed", -1),
        ("ancestral", "AA"),
        ("ancestral", "info:"),
    ],
)
def test_infer_refuses_what_is_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"^{name} is "):
        InferConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("haplotypes", 1),
        ("haplotypes", 21),
        ("ploidy", 3),
        ("sequence_length", 0),
        ("population_size", -1.0),
        ("mutation_rate", -1e-8),
        ("genotype_error", 0.7),
        ("seed", 0),
    ],
)
def test_simulate_refuses_what_is_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"^{name} is "):
        SimulateGenealogyConfig(**{name: value})


@pytest.mark.parametrize("ancestral", [None, "ref", "major", "info:AA"])
def test_every_ancestral_rule_is_accepted(ancestral):
    assert InferConfig(ancestral=ancestral).ancestral == ancestral


def test_each_rate_is_given_once():
    rates = {"mutation_rate": 1e-8, "recombination_rate": 1e-8}
    InferConfig(**rates).check_complete()
    InferConfig(mutation_rate=1e-8, recombination_map=Path("map.txt")).check_complete()
    for name in ("mutation", "recombination"):
        without = {key: value for key, value in rates.items() if key != f"{name}_rate"}
        with pytest.raises(ValueError, match=f"the {name} rate is unknown"):
            InferConfig(**without).check_complete()
        with pytest.raises(ValueError, match=f"{name}_rate and {name}_map are both given"):
            InferConfig(**rates, **{f"{name}_map": Path("map.txt")}).check_complete()


def test_node_times_are_one_of_two():
    with pytest.raises(ValueError, match="choose one of 'uniform', 'level'"):
        from_mapping({"node_times": "exact"}, InferConfig)


@pytest.mark.parametrize("name", ["demo", "simulated"])
def test_shipped_files_are_complete(name):
    config = read_toml(ROOT / "configs" / "genealogy" / f"{name}.toml", InferConfig)
    config.check_complete()
    assert config.mutation_rate == 1.25e-8
    assert config.ancestral == "info:AA"


def test_the_files_that_the_demo_names_are_shipped():
    config = read_toml(ROOT / "configs" / "genealogy" / "demo.toml", InferConfig)
    assert config.recombination_map is not None
    assert (ROOT / config.recombination_map).is_file()


def test_shipped_simulation_agrees_with_its_inference():
    path = ROOT / "configs" / "genealogy" / "simulated.toml"
    truth, told = read_toml(path, SimulateGenealogyConfig), read_toml(path, InferConfig)
    assert truth.mutation_rate == told.mutation_rate
    assert truth.recombination_rate == told.recombination_rate
