"""Train a variational posterior of the copying model on a file of phased genomes."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import tskit

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.toml import to_toml
from escapement_jax.config.training import TrainConfig
from escapement_jax.genealogy.encoder.heads import PotentialNetwork, copying_probabilities
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.variational.genome_windows import Windows
from escapement_jax.genealogy.variational.prepare import (
    new_network,
    starting_size,
    training_genome,
    warm_network,
)
from escapement_jax.genealogy.variational.train import LearnedPosterior, train_posterior
from escapement_jax.genealogy.variational.twisted_chain import twisted_marginals
from escapement_jax.io.network_weights import load_weights, network_settings, save_weights
from escapement_jax.io.read_genotypes import read_genotypes
from escapement_jax.io.run_directory import CONFIG_FILE, new_run_directory
from escapement_jax.plotting.copying import save_learned_figures
from escapement_jax.training.run_report import RunReport

WEIGHTS_FILE = "weights.eqx"


def run_train(
    input: Path, output: Path, config: TrainConfig, *, progress: bool, force: bool
) -> None:
    """Read genomes, train on them alone, write a run directory and print a summary.

    The directory holds `weights.eqx`, `summary.json`, `history.csv` (bound and terms at every
    step), `sizes_along.csv` (N_e(t) every 100 steps), `demography.csv`, `figures/` and
    `config.toml`.

    Args:
        input: phased genomes in any format of `read_genotypes`.
        output: the directory to create.
        config: how to train.
        progress: whether to show a progress bar.
        force: whether an existing run directory may be replaced.

    Raises:
        FileExistsError: `output` is not empty and `force` is off.
        ValueError: a setting is missing or the input cannot be used; says why.
    """
    config.check_complete()
    with new_run_directory(output, force=force) as directory, RunReport() as report:
        genotypes = read_genotypes(
            input, ancestral=config.ancestral, region=config.region, samples=config.samples
        )
        posterior = train(genotypes, config, key=jax.random.key(config.seed), progress=progress)
        digest = save_weights(
            directory / WEIGHTS_FILE,
            posterior.network,
            network_settings(config, config.time_levels),
        )
        summary = _summary(posterior, genotypes) | {"weights_sha256": digest}
        _write_tables(directory, posterior)
        save_learned_figures(posterior, *parents_seen(posterior), directory / "figures")
        summary |= {"seconds": report.seconds, "peak_memory_mb": report.peak_memory_mb}
        text = json.dumps(summary, indent=2) + "\n"
        (directory / "summary.json").write_text(text, encoding="utf-8")
        (directory / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")
    print(
        f"bound {summary['elbo']:,.1f}, evidence {summary['log_evidence']:,.1f} nats after "
        f"{summary['steps']} steps; converged: {summary['converged']}"
    )
    print(f"written to {output}")


def train(
    genotypes: Genotypes, config: TrainConfig, *, key: PRNGKey, progress: bool = False
) -> LearnedPosterior:
    """Train from the start that the settings tell.

    Args:
        genotypes: the data.
        config: how to train.
        key: random key.
        progress: whether to show a progress bar.

    Raises:
        ValueError: a file of the warm start cannot be used; says why.
    """
    size = starting_size(genotypes, config)
    genome = training_genome(genotypes, config, size)
    network_key, warm_key, train_key = jax.random.split(key, 3)
    network = new_network(config, key=network_key)
    if config.warm_start == "weights" and config.weights is not None:
        settings = network_settings(config, config.time_levels)
        network = load_weights(config.weights, network, settings)
    network = warm_network(
        network,
        genotypes,
        genome,
        config,
        size,
        trees=_topologies(config),
        key=warm_key,
        progress=progress,
    )
    return train_posterior(genome, config, size, network=network, key=train_key, progress=progress)


def parents_seen(posterior: LearnedPosterior) -> tuple[np.ndarray, np.ndarray]:
    """Attention as copying probabilities, and those of the posterior, at the first window's sites.

    Args:
        posterior: a trained posterior.

    Returns:
        Two arrays [sites, haplotypes, parents].
    """
    window = jax.tree.map(lambda leaf: leaf[0], posterior.genome.windows)
    allowed = posterior.model.parent_prior > 0
    attention = eqx.filter_jit(_attention)(posterior.network, window)
    states, _ = eqx.filter_jit(twisted_marginals)(
        posterior.model, posterior.genome.data.counts, posterior.potentials()
    )
    # A site lies in the first bin that has its next site further on.
    sites = np.arange(attention.shape[0])
    bins = np.searchsorted(np.asarray(window.features.next_site), sites, side="right")
    bins = np.clip(bins - posterior.genome.windows.halo, 0, states.shape[0] - 1)
    copied = np.asarray(states.sum(axis=3))[bins]
    return np.asarray(copying_probabilities(attention, allowed)), copied


def _attention(network: PotentialNetwork, window: Windows) -> jax.Array:
    return network.encoder.attention(window.columns, window.features)


def _topologies(config: TrainConfig) -> tskit.TreeSequence | None:
    if config.warm_start != "trees" or config.trees is None:
        return None
    try:
        return tskit.load(config.trees)
    except (OSError, tskit.FileFormatError) as error:
        raise ValueError(f"{config.trees}: cannot be read as a tree sequence: {error}") from None


def _summary(posterior: LearnedPosterior, genotypes: Genotypes) -> dict[str, object]:
    bound = posterior.bound()
    return {
        "elbo": float(bound.elbo.sum()),
        "log_evidence": float(posterior.log_evidence().sum()),
        "mutation": float(bound.mutation.sum()),
        "coalescent": float(bound.coalescent.sum()),
        "breakpoint": float(bound.breakpoint.sum()),
        "entropy": float(bound.entropy.sum()),
        "num_haplotypes": genotypes.num_haplotypes,
        "num_sites": genotypes.num_sites,
        "sites_dropped": dict(genotypes.sites_dropped),
        "num_windows": posterior.genome.windows.num_windows,
        "steps": len(posterior.history["bound"]),
        "converged": posterior.converged,
    }


def _write_tables(directory: Path, posterior: LearnedPosterior) -> None:
    history = {name: values for name, values in posterior.history.items() if values.ndim == 1}
    steps = range(len(history["bound"]))
    rows = zip(steps, *(values.tolist() for values in history.values()), strict=True)
    _write_csv(directory / "history.csv", ("step", *history), rows)
    starts = np.asarray(posterior.population_size.breakpoints).tolist()
    sizes = np.asarray(posterior.population_size.sizes).tolist()
    header = ("time_generations", "population_size")
    _write_csv(directory / "demography.csv", header, zip(starts, sizes, strict=True))
    taken, along = posterior.sizes_along
    rows = (
        (step, start, size)
        for step, row in zip(taken.tolist(), along.tolist(), strict=True)
        for start, size in zip(starts, row, strict=True)
    )
    _write_csv(directory / "sizes_along.csv", ("step", *header), rows)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
