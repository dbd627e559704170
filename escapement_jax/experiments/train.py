"""Train a variational posterior of the copying model on a file of phased genomes."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tskit

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.execution import DEFAULT_EXECUTION, Execution
from escapement_jax.config.toml import to_toml
from escapement_jax.config.training import TrainConfig
from escapement_jax.experiments.double_precision import chosen_precision
from escapement_jax.experiments.surviving_run import identify_run, surviving_run
from escapement_jax.genealogy.encoder.heads import PotentialNetwork, copying_probabilities
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.variational.genome_windows import Windows
from escapement_jax.genealogy.variational.prepare import (
    new_network,
    starting_size,
    training_genome,
    warm_network,
)
from escapement_jax.genealogy.variational.train import (
    TRAINING,
    LearnedPosterior,
    train_posterior,
    windows_per_step,
)
from escapement_jax.genealogy.variational.twisted_chain import twisted_marginals
from escapement_jax.io.network_weights import load_weights, network_settings, save_weights
from escapement_jax.io.read_genotypes import read_genotypes
from escapement_jax.io.run_directory import CONFIG_FILE, refuse_to_lose_files
from escapement_jax.plotting.copying import save_learned_figures
from escapement_jax.training.devices import device_mesh
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.machines import Machines, together
from escapement_jax.training.named_arrays import pack_tree, unpack_tree
from escapement_jax.training.run_report import RunReport

WEIGHTS_FILE = "weights.eqx"


def run_train(
    input: Path,
    output: Path,
    config: TrainConfig,
    *,
    progress: bool,
    force: bool,
    execution: Execution = DEFAULT_EXECUTION,
) -> None:
    """Read genomes, train on them alone, write a run directory and print a summary.

    The directory holds `weights.eqx`, `summary.json`, `history.csv` (bound and terms at every
    step), `sizes_along.csv` (N_e(t) every 100 steps), `demography.csv`, `figures/` and
    `config.toml`. Several processes train one network; the first of them writes.

    Args:
        input: phased genomes in any format of `read_genotypes`.
        output: the directory to create.
        config: how to train.
        progress: whether to show a progress bar.
        force: whether an existing run directory may be replaced.
        execution: how to carry it out.

    Raises:
        FileExistsError: `output` is not empty and `force` is off, or an unfinished run is there.
        ValueError: a setting is missing or the input cannot be used; says why.
    """
    config.check_complete()
    identity = identify_run("train", config, execution=execution, replaces=force, input=input)
    with RunReport() as report:
        shared = None
        if execution.coordinator is not None:
            refuse_to_lose_files(output, force)
            shared = train_together(input, config, execution)
            if shared.process > 0:
                print(f"trained; process 0 writes {output}")
                return
        survival = surviving_run(output, identity, execution)
        with survival as (directory, keeper), chosen_precision(execution):
            genotypes = _read(input, config)
            if shared is None:
                told = {"progress": progress, "keeper": keeper, "devices": execution.devices}
                posterior = train(genotypes, config, key=jax.random.key(config.seed), **told)
            else:
                posterior = shared.posterior(genotypes, config)
            summary = _write(directory, posterior, genotypes, config, report)
    print(
        f"bound {summary['elbo']:,.1f}, evidence {summary['log_evidence']:,.1f} nats after "
        f"{summary['steps']} steps; converged: {summary['converged']}"
    )
    print(f"written to {output}")


def train(
    genotypes: Genotypes,
    config: TrainConfig,
    *,
    key: PRNGKey,
    progress: bool = False,
    keeper: Keeper | None = None,
    devices: int | None = 1,
) -> LearnedPosterior:
    """Train from the start that the settings tell.

    Args:
        genotypes: the data.
        config: how to train.
        key: random key.
        progress: whether to show a progress bar.
        keeper: takes the state on the way, and brings one to go on from, bit for bit.
        devices: how many share the windows of a step; None for all.

    Raises:
        ValueError: a file of the warm start cannot be used; says why.
    """
    keeper = keeper or Keeper()
    size = starting_size(genotypes, config)
    genome = training_genome(genotypes, config, size)
    network_key, warm_key, train_key = jax.random.split(key, 3)
    network = new_network(config, key=network_key)
    if config.warm_start == "weights" and config.weights is not None:
        settings = network_settings(config, config.time_levels)
        network = load_weights(config.weights, network, settings)
    if keeper.kept(TRAINING) is None:  # Else what is kept goes in its place.
        network = warm_network(
            network,
            genotypes,
            genome,
            config,
            size,
            trees=_topologies(config),
            key=warm_key,
            progress=progress,
            keeper=keeper,
        )
    with device_mesh(devices, batch=windows_per_step(config, genome), what="windows"):
        return train_posterior(
            genome,
            config,
            size,
            network=network,
            key=train_key,
            progress=progress,
            keeper=keeper,
        )


@dataclass(frozen=True)
class SharedTraining:
    """What every process of a training knows at its end, as it travels between processes.

    Attributes:
        process: number of this process.
        network: arrays of the network by name.
        sizes: N_e(t) of every level.
        history: see `LearnedPosterior`.
        converged: see there.
    """

    process: int
    network: dict[str, np.ndarray]
    sizes: np.ndarray
    history: dict[str, np.ndarray]
    converged: bool

    def posterior(self, genotypes: Genotypes, config: TrainConfig) -> LearnedPosterior:
        """The posterior that was learned, for the data that it was learned from."""
        genome = training_genome(genotypes, config, starting_size(genotypes, config))
        template = new_network(config, key=jax.random.key(0))
        return LearnedPosterior(
            network=unpack_tree(template, self.network),
            population_size=PiecewiseConstant(genome.grid.edges, jnp.asarray(self.sizes)),
            genome=genome,
            history=self.history,
            converged=self.converged,
        )


def train_together(input: Path, config: TrainConfig, execution: Execution) -> SharedTraining:
    """Train one network on several processes, which share out the windows of every step.

    Args:
        input: phased genomes, the same for all processes.
        config: how to train.
        execution: how to find the other processes.

    Raises:
        ValueError: they cannot be reached, there are more of them than windows, or the state of a
            run is asked for, which they do not keep.
    """
    if execution.resume:
        raise ValueError("several processes keep no state of a training; leave out --resume")
    machines = Machines(execution.coordinator, execution.processes, execution.process)
    return together(train_share, input, config, execution, machines=machines)


def train_share(input: Path, config: TrainConfig, execution: Execution) -> SharedTraining:
    """Train as one of several processes that have joined.

    Args:
        input: phased genomes, the same for all processes.
        config: how to train.
        execution: tells the precision.
    """
    with chosen_precision(execution):
        posterior = train(_read(input, config), config, key=jax.random.key(config.seed))
        return SharedTraining(
            process=jax.process_index(),
            network=pack_tree(posterior.network),
            sizes=np.asarray(posterior.population_size.sizes),
            history=posterior.history,
            converged=posterior.converged,
        )


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


def _read(input: Path, config: TrainConfig) -> Genotypes:
    return read_genotypes(
        input, ancestral=config.ancestral, region=config.region, samples=config.samples
    )


def _write(
    directory: Path,
    posterior: LearnedPosterior,
    genotypes: Genotypes,
    config: TrainConfig,
    report: RunReport,
) -> dict[str, object]:
    """Write everything, and return what the summary holds."""
    settings = network_settings(config, config.time_levels)
    digest = save_weights(directory / WEIGHTS_FILE, posterior.network, settings)
    summary = _summary(posterior, genotypes) | {"weights_sha256": digest}
    _write_tables(directory, posterior)
    save_learned_figures(posterior, *parents_seen(posterior), directory / "figures")
    summary |= {"seconds": report.seconds, "peak_memory_mb": report.peak_memory_mb}
    text = json.dumps(summary, indent=2) + "\n"
    (directory / "summary.json").write_text(text, encoding="utf-8")
    (directory / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")
    return summary


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
