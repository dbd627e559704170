"""From genotypes and settings to a genome ready for training, and to a network to start with."""

import dataclasses

import numpy as np
import tskit

from escapement_jax.array_types import PRNGKey
from escapement_jax.config.training import PretrainConfig, TrainConfig
from escapement_jax.genealogy.copying.copying_model import CopyingModel
from escapement_jax.genealogy.encoder.heads import PotentialNetwork
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.genealogy.variational.copying_data import CopyingData
from escapement_jax.genealogy.variational.genome_windows import genome_windows
from escapement_jax.genealogy.variational.look_ahead import emission_potentials
from escapement_jax.genealogy.variational.objective import Genome
from escapement_jax.genealogy.variational.targets import (
    Target,
    closest_earlier,
    posterior_target,
    simulated_target,
    topology_target,
)
from escapement_jax.genealogy.variational.train import train_towards
from escapement_jax.training.keeper import Keeper


def starting_size(genotypes: Genotypes, config: TrainConfig) -> float:
    """Diploid population size to start from: as told, or from diversity, `pi = 4 N mu`.

    Raises:
        ValueError: there is no diversity to estimate it from.
    """
    if config.population_size is not None:
        return config.population_size
    assert config.mutation_rate is not None, "check_complete has been called"
    size = float(genotypes.diversity()) / (4 * config.mutation_rate)
    if not size > 0:
        raise ValueError("the haplotypes do not differ; give population_size")
    return size


def training_genome(
    genotypes: Genotypes,
    config: TrainConfig | PretrainConfig,
    population_size: float,
    *,
    num_sites: int | None = None,
) -> Genome:
    """Bin a genome and cut it into windows.

    Args:
        genotypes: the data.
        config: settings, with both rates.
        population_size: diploid size on which the time levels are laid out.
        num_sites: sites to pad to, for equal shapes; for a genome of one window only.

    Raises:
        ValueError: fewer than two haplotypes, or no site.
    """
    if genotypes.num_haplotypes < 2 or genotypes.num_sites == 0:
        raise ValueError(
            f"need two haplotypes and a site, got {genotypes.num_haplotypes} and "
            f"{genotypes.num_sites}; choose more samples or a region that varies"
        )
    assert config.mutation_rate is not None
    assert config.recombination_rate is not None
    span = (genotypes.start, genotypes.end)
    edges = bin_edges(genotypes, config.bin_width)
    data = CopyingData.from_genotypes(
        genotypes,
        edges,
        mutation=RateMap.constant(config.mutation_rate, *span),
        recombination=RateMap.constant(config.recombination_rate, *span),
    )
    windowed = isinstance(config, TrainConfig)
    windows = genome_windows(
        genotypes.haplotypes,
        genotypes.positions,
        edges,
        data,
        config,
        core_bins=config.window_bins if windowed else None,
        halo_bins=config.halo_bins if windowed else 0,
        num_sites=num_sites,
    )
    grid = TimeGrid.for_population_size(config.time_levels, population_size)
    return Genome(windows, data, grid, config.look_ahead)


def bin_edges(genotypes: Genotypes, width: int) -> np.ndarray:
    """Edges of bins of equal width, the last one shorter, in base pairs."""
    return np.append(np.arange(genotypes.start, genotypes.end, width), genotypes.end).astype(float)


def warm_network(
    network: PotentialNetwork,
    genotypes: Genotypes,
    genome: Genome,
    config: TrainConfig,
    population_size: float,
    *,
    trees: tskit.TreeSequence | None = None,
    key: PRNGKey,
    progress: bool = False,
    keeper: Keeper | None = None,
) -> PotentialNetwork:
    """Train the network towards the exact posterior of the copying model, or given topologies.

    Args:
        network: where to start.
        genotypes: the data.
        genome: the same, in one window or several.
        config: how; `warm_start` tells what is done, and with "none" or "weights" nothing is.
        population_size: diploid size that the copying model is told.
        trees: topologies of the same haplotypes in the same order, for "trees".
        key: random key.
        progress: whether to show a progress bar.
        keeper: takes the state on the way, and brings one to go on from.

    Raises:
        ValueError: the trees do not hold the haplotypes, or do not cover the region.
    """
    if config.warm_start not in ("distil", "trees"):
        return network
    in_one_window = dataclasses.replace(config, window_bins=None)
    whole = training_genome(genotypes, in_one_window, population_size)
    model = genome.data.model(PiecewiseConstant.constant(population_size), genome.grid)
    if config.warm_start == "distil":
        target = posterior_target(model, genome.data.counts)
    else:
        assert trees is not None, "the topologies are given"
        places = _places(genotypes, config.bin_width, trees)
        emissions = emission_potentials(model, genome.data.counts)
        target = topology_target(*closest_earlier(trees, places), model, emissions)
    network, _ = train_towards(
        network,
        [whole],
        [model],
        [target],
        steps=config.warm_steps,
        learning_rate=config.learning_rate_warm,
        clip=config.clip,
        key=key,
        progress=progress,
        keeper=keeper,
    )
    return network


def pretraining_example(
    genotypes: Genotypes,
    trees: tskit.TreeSequence,
    config: PretrainConfig,
    population_size: float,
    *,
    num_sites: int,
) -> tuple[Genome, CopyingModel, Target]:
    """A simulated genome, its copying model and its true genealogy as a target.

    Args:
        genotypes: simulated.
        trees: the true genealogy.
        config: settings.
        population_size: the true diploid size.
        num_sites: sites to pad to.
    """
    genome = training_genome(genotypes, config, population_size, num_sites=num_sites)
    model = genome.data.model(PiecewiseConstant.constant(population_size), genome.grid)
    places = _places(genotypes, config.bin_width, trees)
    target = simulated_target(*closest_earlier(trees, places), genome.grid.edges)
    return genome, model, target


def new_network(config: TrainConfig | PretrainConfig, *, key: PRNGKey) -> PotentialNetwork:
    """An untrained network of the size told."""
    return PotentialNetwork(config, config.time_levels, key=key)


def _places(genotypes: Genotypes, width: int, trees: tskit.TreeSequence) -> np.ndarray:
    if trees.num_samples != genotypes.num_haplotypes:
        raise ValueError(
            f"the trees hold {trees.num_samples} samples, the genotypes "
            f"{genotypes.num_haplotypes} haplotypes; give trees of these haplotypes"
        )
    if trees.sequence_length < genotypes.end:
        raise ValueError(
            f"the trees end at {trees.sequence_length:g}, before the region ({genotypes.end})"
        )
    edges = bin_edges(genotypes, width)
    return (edges[:-1] + edges[1:]) / 2
