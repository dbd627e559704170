"""Simulate phased genomes whose genealogy and population history are known."""

import json
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import tskit

from escapement_jax.config.genealogy import SimulateGenealogyConfig
from escapement_jax.config.toml import to_toml
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.io.run_directory import CONFIG_FILE, new_run_directory

if TYPE_CHECKING:
    import msprime

CONTIG = "1"

# Rescaled times (units of 4 N0 generations) and growth rates (per 4 N0 generations) of the zigzag
# history, Schiffels & Durbin (2014), as catalogued by stdpopsim (Zigzag_1S14).
_ZIGZAG_GROWTH = (
    (0.000582262, 1318.18),
    (0.00232905, -329.546),
    (0.00931619, 82.3865),
    (0.0372648, -20.5966),
    (0.149059, 5.14916),
)
_ZIGZAG_END = 0.596236
_ZIGZAG_N0 = 1.4312  # in units of the reference size: N0 = 14,312 where the reference is 10,000


def run_simulate_genealogy(output: Path, config: SimulateGenealogyConfig, *, force: bool) -> None:
    """Simulate genomes and write them, with the truth, to a run directory.

    The directory holds `genotypes.vcf` (phased, INFO/AA = ancestral allele), `true.trees`,
    `truth.json` (the history N_e(t), diversity, counts) and `config.toml`.

    Args:
        output: the directory to create.
        config: what to simulate.
        force: whether an existing run directory may be replaced.

    Raises:
        FileExistsError: `output` is not empty and `force` is off.
        ImportError: msprime is not installed.
    """
    with new_run_directory(output, force=force) as directory:
        tree_sequence, haplotypes, positions = simulate_genealogy(config)
        tree_sequence.dump(directory / "true.trees")
        _write_vcf(directory / "genotypes.vcf", tree_sequence, haplotypes, positions, config.ploidy)
        truth = _truth(config, tree_sequence, haplotypes, positions)
        (directory / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
        (directory / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")


def simulate_genealogy(
    config: SimulateGenealogyConfig,
    *,
    history: "msprime.Demography | None" = None,
    full_graph: bool = False,
) -> tuple[tskit.TreeSequence, np.ndarray, np.ndarray]:
    """Simulate a coalescent with recombination and the genotypes seen on it.

    Sites with more than two alleles and sites where all haplotypes agree are left out of the
    genotypes, but stay in the tree sequence. Genotype errors flip alleles, never the genealogy.

    Args:
        config: what to simulate.
        history: population size through time, in place of the one in the settings.
        full_graph: whether the tree sequence keeps the nodes of recombinations.

    Returns:
        The true tree sequence (times in generations); haplotypes, int8 [sites, haplotypes], 0
        ancestral and 1 derived; positions, int64 [sites], 0-based base pairs.

    Raises:
        ImportError: msprime is not installed.
    """
    msprime = _import_msprime()
    generator = np.random.default_rng(config.seed)
    ancestry_seed, mutation_seed = (int(seed) for seed in generator.integers(1, 2**31, size=2))
    individuals = msprime.SampleSet(config.haplotypes // config.ploidy, ploidy=config.ploidy)
    ancestry = msprime.sim_ancestry(
        samples=[individuals],
        demography=history or demography(config),
        record_full_arg=full_graph,
        ploidy=2,  # sizes are diploid, also where the samples are haploid
        sequence_length=config.sequence_length,
        recombination_rate=config.recombination_rate,
        random_seed=ancestry_seed,
    )
    tree_sequence = msprime.sim_mutations(
        ancestry, rate=config.mutation_rate, random_seed=mutation_seed
    )
    haplotypes, positions = _two_allele_sites(tree_sequence)
    if config.genotype_error > 0:
        flipped = generator.random(haplotypes.shape) < config.genotype_error
        haplotypes = haplotypes ^ flipped.astype(np.int8)
    segregating = (haplotypes.min(axis=1) == 0) & (haplotypes.max(axis=1) == 1)
    return tree_sequence, haplotypes[segregating], positions[segregating]


def demography(config: SimulateGenealogyConfig) -> "msprime.Demography":
    """Build the history of the population size, N_e(t), scaled by `config.population_size` = N.

    All sizes and all times in generations are proportional to N, so the shape of the genealogy
    does not depend on it:
    `constant` N; `bottleneck` 0.1 N between N / 10 and N / 5 generations ago, N otherwise;
    `growth` N until N / 5 generations ago, then exponential to 10 N today;
    `zigzag` the oscillation of Schiffels & Durbin (2014), the published one at N = 10,000.

    Raises:
        ImportError: msprime is not installed.
    """
    size = config.population_size
    history = _import_msprime().Demography()
    change = history.add_population_parameters_change
    if config.demography == "zigzag":
        reference = _ZIGZAG_N0 * size
        history.add_population(name="population", initial_size=5 * reference)
        for time, rate in _ZIGZAG_GROWTH:
            change(time=time * 4 * reference, growth_rate=rate / (4 * reference))
        change(time=_ZIGZAG_END * 4 * reference, initial_size=0.5 * reference, growth_rate=0)
    elif config.demography == "growth":
        rate = np.log(10) / (size / 5)
        history.add_population(name="population", initial_size=10 * size, growth_rate=rate)
        change(time=size / 5, initial_size=size, growth_rate=0)
    else:
        history.add_population(name="population", initial_size=size)
        if config.demography == "bottleneck":
            change(time=size / 10, initial_size=size / 10)
            change(time=size / 5, initial_size=size)
    return history


def stepwise_history(times: np.ndarray, sizes: np.ndarray) -> "msprime.Demography":
    """Build a history of steps.

    Args:
        times: left edges of the epochs, generations, the first of them 0.
        sizes: diploid sizes, one per epoch.

    Raises:
        ImportError: msprime is not installed.
    """
    history = _import_msprime().Demography()
    history.add_population(name="population", initial_size=float(sizes[0]))
    for time, size in zip(times[1:].tolist(), sizes[1:].tolist(), strict=True):
        history.add_population_parameters_change(time=time, initial_size=size)
    return history


def _import_msprime() -> ModuleType:
    try:
        import msprime
    except ImportError:
        raise ImportError(
            "simulating genomes needs msprime, which is not installed; "
            'install it with: pip install "escapement-jax[simulate]"'
        ) from None
    return msprime


def _two_allele_sites(tree_sequence: tskit.TreeSequence) -> tuple[np.ndarray, np.ndarray]:
    """Collect haplotypes and positions of the sites with one derived allele."""
    sites = [
        (variant.genotypes, int(variant.site.position))
        for variant in tree_sequence.variants()
        if len(variant.alleles) == 2
    ]
    haplotypes = np.zeros((len(sites), tree_sequence.num_samples), dtype=np.int8)
    for row, (genotypes, _) in enumerate(sites):
        haplotypes[row] = genotypes
    return haplotypes, np.array([position for _, position in sites], dtype=np.int64)


def _truth(
    config: SimulateGenealogyConfig,
    tree_sequence: tskit.TreeSequence,
    haplotypes: np.ndarray,
    positions: np.ndarray,
) -> dict[str, Any]:
    length = config.sequence_length
    genotypes = Genotypes.from_arrays(haplotypes, positions, start=0, end=length)
    times = np.concatenate([[0.0], np.geomspace(1e-3, 20, 200) * config.population_size])
    sizes = demography(config).debug().population_size_trajectory(times)[:, 0]
    return {
        "num_haplotypes": genotypes.num_haplotypes,
        "num_sites": genotypes.num_sites,
        "num_sites_dropped": tree_sequence.num_sites - genotypes.num_sites,
        "num_trees": tree_sequence.num_trees,
        "diversity_per_base_pair": genotypes.diversity(),
        "demography": {"time_generations": times.tolist(), "population_size": sizes.tolist()},
        "versions": {"msprime": _import_msprime().__version__, "tskit": tskit.__version__},
    }


def _write_vcf(
    path: Path,
    tree_sequence: tskit.TreeSequence,
    haplotypes: np.ndarray,
    positions: np.ndarray,
    ploidy: int,
) -> None:
    """Write phased genotypes; REF and INFO/AA are the ancestral allele, POS counts from 1."""
    num_individuals = haplotypes.shape[1] // ploidy
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    columns += [f"sample_{individual}" for individual in range(num_individuals)]
    site_ids = np.searchsorted(tree_sequence.sites_position, positions)
    with path.open("w", encoding="utf-8") as vcf:
        vcf.write("##fileformat=VCFv4.2\n")
        vcf.write(f"##contig=<ID={CONTIG},length={int(tree_sequence.sequence_length)}>\n")
        vcf.write('##INFO=<ID=AA,Number=1,Type=String,Description="Ancestral allele">\n')
        vcf.write('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        vcf.write("\t".join(columns) + "\n")
        for site_id, row in zip(site_ids, haplotypes, strict=True):
            site = tree_sequence.site(site_id)
            ancestral, derived = _alleles(site)
            variant = f"{CONTIG}\t{int(site.position) + 1}\t.\t{ancestral}\t{derived}"
            calls = ["|".join(map(str, alleles)) for alleles in row.reshape(-1, ploidy)]
            vcf.write("\t".join([variant, ".\tPASS", f"AA={ancestral}", "GT", *calls]) + "\n")


def _alleles(site: tskit.Site) -> tuple[str, str]:
    """Return the ancestral and the derived allele of a site that has only these two."""
    (derived,) = {mutation.derived_state for mutation in site.mutations} - {site.ancestral_state}
    return site.ancestral_state, derived
