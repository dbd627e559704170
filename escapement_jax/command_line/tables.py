"""The tables of a configuration file: one for each verb with settings."""

from pathlib import Path

from escapement_jax.config.base import Configuration
from escapement_jax.config.calibration import CalibrateConfig
from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.config.genealogy import InferConfig, SimulateGenealogyConfig
from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.config.homeostasis import RecoverConfig
from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig
from escapement_jax.config.toml import closest, read_document, read_toml, table_names
from escapement_jax.config.training import PretrainConfig, TrainConfig

CONFIGURATIONS = {
    config_class.table_name: config_class
    for config_class in (
        InferConfig,
        SimulateGenealogyConfig,
        CalibrateConfig,
        TrainConfig,
        PretrainConfig,
        DecomposeConfig,
        SimulateElmConfig,
        ExploreConfig,
        RecoverConfig,
        GradientConfig,
        SimulateHomeostasisConfig,
    )
}
"""Every configuration class by its TOML table."""


def read_all_tables(path: Path) -> list[Configuration]:
    """Read every table of a configuration file.

    Raises:
        ValueError: a table that belongs to no verb, a key outside every table, or no table.
    """
    document = read_document(path)
    names = table_names(document)
    stray = [key for key, value in document.items() if not isinstance(value, dict)]
    for name in [*stray, *names]:
        if name not in CONFIGURATIONS:
            kind = "key" if name in stray else "table"
            raise ValueError(f"{path}: unknown {kind} {name}{closest(name, list(CONFIGURATIONS))}")
    if not names:
        raise ValueError(f"{path}: no table; write one of [{'], ['.join(CONFIGURATIONS)}]")
    return [read_toml(path, CONFIGURATIONS[name]) for name in names]
