"""Simulate genotypes and phenotypes whose effects are known."""

import json
from pathlib import Path

import numpy as np

from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.config.toml import to_toml
from escapement_jax.elm.simulation.simulate import simulate
from escapement_jax.io.elm_arrays import write_npz_study
from escapement_jax.io.elm_results import write_truth
from escapement_jax.io.run_directory import CONFIG_FILE, new_run_directory


def run_simulate_elm(output: Path, config: SimulateElmConfig, *, force: bool) -> None:
    """Simulate a study and write it, with the truth, to a run directory.

    The directory holds `study.npz` (an input of `escapement decompose`, the truth included),
    `additive.csv` and `epistatic.csv` in the columns of a decomposition, `truth.json` (realised
    variances) and `config.toml`.

    Args:
        output: the directory to create.
        config: what to simulate.
        force: whether an existing run directory may be replaced.

    Raises:
        FileExistsError: `output` is not empty and `force` is off.
        ImportError: linked loci are wanted and msprime is not installed.
        ValueError: the genotypes cannot be simulated as told.
    """
    config.check_complete()
    with new_run_directory(output, force=force) as directory:
        study = simulate(config)
        write_npz_study(directory / "study.npz", study)
        write_truth(directory, study)
        variances = np.var(study.phenotypes, axis=0).tolist()
        truth = {
            "heritability": config.heritability,
            "additive_share": dict(zip(study.trait_names, config.additive_share, strict=True)),
            "dominance_share": config.dominance_share,
            "interaction_order": config.interaction_order,
            "phenotypic_variance": dict(zip(study.trait_names, variances, strict=True)),
        }
        text = json.dumps(truth, indent=2) + "\n"
        (directory / "truth.json").write_text(text, encoding="utf-8")
        (directory / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")
