"""Train the encoder on simulated genomes whose genealogies are known ("mainspring")."""

import json
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from escapement_jax.config.execution import DEFAULT_EXECUTION, Execution
from escapement_jax.config.genealogy import SimulateGenealogyConfig
from escapement_jax.config.toml import to_toml
from escapement_jax.config.training import PretrainConfig
from escapement_jax.experiments.double_precision import chosen_precision
from escapement_jax.experiments.simulate_genealogy import simulate_genealogy
from escapement_jax.experiments.surviving_run import identify_run, surviving_run
from escapement_jax.genealogy.encoder.heads import PotentialNetwork
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.variational.prepare import new_network, pretraining_example
from escapement_jax.genealogy.variational.train import train_towards
from escapement_jax.io.network_weights import network_settings, save_weights
from escapement_jax.io.run_directory import CONFIG_FILE
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.run_report import RunReport

WEIGHTS_FILE = "weights.eqx"

_SITES_STEP = 32  # genomes are padded to a multiple of this many sites


@dataclass(frozen=True)
class Mainspring:
    """A network trained on simulated genomes.

    Attributes:
        network: the network.
        history: expected log probability of the truth per bin and haplotype, before every step.
    """

    network: PotentialNetwork
    history: np.ndarray


def pretrain(
    config: PretrainConfig, *, progress: bool = False, keeper: Keeper | None = None
) -> Mainspring:
    """Simulate genomes and train a network to expect their true genealogies.

    Args:
        config: what to simulate and how to train.
        progress: whether to show a progress bar.
        keeper: takes the state on the way, and brings one to go on from, bit for bit.

    Raises:
        ImportError: msprime is not installed.
        ValueError: a simulated genome does not vary.
    """
    network_key, train_key = jax.random.split(jax.random.key(config.seed))
    generator = np.random.default_rng(config.seed)
    sizes = config.population_size * np.exp(
        config.population_spread * generator.normal(size=config.genomes)
    )
    drawn = [_simulated(config, float(size), index) for index, size in enumerate(sizes)]
    most = max(genotypes.num_sites for _, genotypes in drawn)
    num_sites = -(-most // _SITES_STEP) * _SITES_STEP
    examples = [
        pretraining_example(genotypes, trees, config, float(size), num_sites=num_sites)
        for (trees, genotypes), size in zip(drawn, sizes, strict=True)
    ]
    genomes, models, targets = zip(*examples, strict=True)
    network, history = train_towards(
        new_network(config, key=network_key),
        genomes,
        models,
        targets,
        steps=config.steps,
        learning_rate=config.learning_rate,
        clip=config.clip,
        key=train_key,
        progress=progress,
        keeper=keeper,
    )
    return Mainspring(network, history)


def run_pretrain(
    output: Path,
    config: PretrainConfig,
    *,
    progress: bool,
    force: bool,
    execution: Execution = DEFAULT_EXECUTION,
) -> None:
    """Pretrain a network and write `weights.eqx`, `summary.json` and `config.toml`.

    Args:
        output: the directory to create.
        config: what to simulate and how to train.
        progress: whether to show a progress bar.
        force: whether an existing run directory may be replaced.
        execution: how to carry it out.

    Raises:
        FileExistsError: `output` is not empty and `force` is off, or an unfinished run is there.
    """
    identity = identify_run("pretrain", config, execution=execution, replaces=force)
    survival = surviving_run(output, identity, execution)
    precision = chosen_precision(execution)
    with survival as (directory, keeper), RunReport() as report, precision:
        mainspring = pretrain(config, progress=progress, keeper=keeper)
        settings = network_settings(config, config.time_levels)
        digest = save_weights(directory / WEIGHTS_FILE, mainspring.network, settings)
        summary = {
            "genomes": config.genomes,
            "steps": config.steps,
            "log_probability_at_start": float(mainspring.history[0]),
            "log_probability": float(np.mean(mainspring.history[-config.genomes :])),
            "weights_sha256": digest,
            "seconds": report.seconds,
            "peak_memory_mb": report.peak_memory_mb,
        }
        text = json.dumps(summary, indent=2) + "\n"
        (directory / "summary.json").write_text(text, encoding="utf-8")
        (directory / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")
    print(f"log probability of the truth per bin and haplotype: {summary['log_probability']:.4f}")
    print(f"weights written to {output / WEIGHTS_FILE}")


def _simulated(config: PretrainConfig, size: float, index: int) -> tuple:
    simulated = SimulateGenealogyConfig(
        haplotypes=config.haplotypes,
        sequence_length=config.sequence_length,
        population_size=size,
        mutation_rate=config.mutation_rate,
        recombination_rate=config.recombination_rate,
        seed=config.seed * 10_000 + index + 1,
    )
    trees, haplotypes, positions = simulate_genealogy(simulated)
    end = config.sequence_length
    return trees, Genotypes.from_arrays(haplotypes, positions, start=0, end=end)
