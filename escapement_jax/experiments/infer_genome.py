"""Infer a whole genome, region by region, with one N_e(t), on one process or several."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from escapement_jax.config.execution import Execution
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.experiments.infer import read_genomes, run_infer
from escapement_jax.genealogy.demography.pair_fit import DemographyFit, fit_demography
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.genealogy.model.threading_problem import threading_problem
from escapement_jax.io.genealogy_results import write_demography
from escapement_jax.io.region_lists import GenomeRegion, read_region_list
from escapement_jax.io.run_directory import write_text_atomically
from escapement_jax.training.digests import digest_of
from escapement_jax.training.machines import (
    Machines,
    my_share,
    num_machines,
    sum_over_machines,
    together,
)

Genomes = Sequence[tuple[Genotypes, dict[str, RateMap]]]


def run_infer_genome(
    input: Path,
    output: Path,
    region_list: Path,
    config: InferConfig,
    *,
    progress: bool,
    force: bool,
    execution: Execution,
) -> None:
    """Infer every region of a list, with the population size learned from all of them together.

    Every region becomes a run directory of its own below the output, which appears when the region
    is finished. Beside them are `demography.csv` and `genome.json`, when all are. Several processes
    share the regions out between them. With `resume` finished regions are left as they are.

    Args:
        input: Phased genomes, for regions that name no file.
        output: The folder of the regions.
        region_list: The regions, see `read_region_list`.
        config: How to infer.
        progress: Whether to show progress bars.
        force: Whether existing run directories may be replaced.
        execution: How to carry it out.

    Raises:
        FileExistsError: A region cannot be written, or another run works on it.
        ValueError: The list, a setting or a region cannot be used; says why.
    """
    config.check_complete()
    regions = read_region_list(region_list, input)
    machines = Machines(execution.coordinator, execution.processes, execution.process)
    world = together(shared_world, regions, config, machines=machines)
    asked = dataclasses.replace(config, population_size=world.population_size)
    names = "\n".join(f"{one.region} {one.input}" for one in regions)
    for place in world.mine:
        one = regions[place]
        folder = output / one.folder
        if execution.resume and (folder / "summary.json").is_file():
            continue
        options = {"progress": progress, "force": force, "execution": execution}
        told = dataclasses.replace(asked, region=str(one.region))
        genome = digest_of(names)
        run_infer(one.input, folder, told, **options, pairs=world.pairs, genome=genome)
    if all((output / one.folder / "summary.json").is_file() for one in regions):
        _write(output, regions, world)


@dataclasses.dataclass(frozen=True)
class SharedWorld:
    """What all regions share, and which of them are this process's.

    Attributes:
        mine: Places in the list of regions.
        population_size: Diploid N_e that explains the diversity of all.
        pairs: N_e(t) and rates learned from pairs of haplotypes in all, if any are.
    """

    mine: list[int]
    population_size: float
    pairs: DemographyFit | None


def shared_world(regions: Sequence[GenomeRegion], config: InferConfig) -> SharedWorld:
    """Learn from all regions what they share, together with the other processes.

    Args:
        regions: The genome.
        config: Settings.

    Raises:
        ValueError: There are more processes than regions, or a region cannot be used.
    """
    if num_machines() > len(regions):
        raise ValueError(
            f"there are {num_machines()} processes for {len(regions)} regions; give fewer "
            "processes, or smaller regions"
        )
    mine = my_share(range(len(regions)))
    genomes = []
    for place in mine:
        told = dataclasses.replace(config, region=str(regions[place].region))
        genomes.append(read_genomes(regions[place].input, told))
    size = config.population_size or shared_population_size(genomes, config)
    told = dataclasses.replace(config, population_size=size)
    return SharedWorld(mine, size, shared_demography(genomes, told))


def shared_population_size(genomes: Genomes, config: InferConfig) -> float:
    """N_e that explains the diversity of all regions: `sum L pi / sum 4 L mu`, over all processes.

    Args:
        genomes: The regions of this process, and their maps.
        config: Settings.

    Raises:
        ValueError: There is no diversity, or no mutation.
    """
    sums = np.zeros(2)
    for genotypes, maps in genomes:
        length, rate = genotypes.end - genotypes.start, config.mutation_rate
        if rate is None:
            rate = maps["mutation_map"].mean_rate(genotypes.start, genotypes.end)
        sums += length * np.array([genotypes.diversity(), 4 * rate])
    diversity, mutation = sum_over_machines(sums)
    if not (mutation > 0 and diversity > 0):
        raise ValueError("cannot estimate N_e: no diversity or no mutation; give population_size")
    return float(diversity / mutation)


def shared_demography(genomes: Genomes, config: InferConfig) -> DemographyFit | None:
    """Fit N_e(t), and rates that are learned, to pairs of haplotypes in all regions of all.

    Args:
        genomes: The regions of this process, and their maps.
        config: Settings, with the population size that all share.

    Raises:
        ValueError: The regions differ in their individuals.
    """
    rates = {
        "learn_recombination": config.learn_recombination,
        "learn_genotype_error": config.learn_genotype_error,
    }
    if config.demography == "constant" and not any(rates.values()):
        return None
    numbers = {genotypes.num_haplotypes for genotypes, _ in genomes}
    if len(numbers) > 1:
        raise ValueError(f"regions hold {sorted(numbers)} haplotypes; give the same individuals")
    first, *others = [
        threading_problem(
            genotypes, config, maps.get("mutation_map"), maps.get("recombination_map")
        )
        for genotypes, maps in genomes
    ]
    return fit_demography(
        first,
        config.demography,
        **rates,
        seed=config.seed,
        others=others,
        total=sum_over_machines,
    )


def _write(output: Path, regions: Sequence[GenomeRegion], world: SharedWorld) -> None:
    if world.pairs is not None:
        write_demography(output / "demography.csv", world.pairs.estimate())
    genome = {
        "regions": {one.folder: str(one.region) for one in regions},
        "population_size": world.population_size,
    }
    write_text_atomically(output / "genome.json", json.dumps(genome, indent=2) + "\n")
    print(f"{len(regions)} regions written to {output}")
