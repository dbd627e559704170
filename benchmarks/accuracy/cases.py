"""The five simulated cases on which methods are compared, and what the methods are told of them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msprime
import numpy as np
import tskit

from benchmarks.simulated_genotypes import MUTATION_RATE, RECOMBINATION_RATE
from escapement_jax.config.genealogy import SimulateGenealogyConfig
from escapement_jax.experiments.simulate_genealogy import demography
from escapement_jax.genealogy.genome.genotypes import Genotypes


@dataclass(frozen=True)
class Case:
    """A history and what is wrong with the data or with what methods are told.

    Methods are always told the rates `MUTATION_RATE` and `RECOMBINATION_RATE`.
    """

    history: Literal["constant", "bottleneck", "zigzag"] = "constant"
    recombination_rate: float = RECOMBINATION_RATE
    genotype_error: float = 0.0


CASES = {
    "const": Case(),
    "bottleneck": Case(history="bottleneck"),
    "zigzag": Case(history="zigzag"),
    "err1": Case(genotype_error=0.01),
    "rho4": Case(recombination_rate=4e-8),
}


@dataclass(frozen=True)
class DataSetName:
    """What identifies a data set: the same name always means the same genomes."""

    case: str
    length: int
    haplotypes: int
    seed: int

    def __str__(self) -> str:
        return f"{self.case}_L{self.length}_n{self.haplotypes}_s{self.seed}"


@dataclass(frozen=True)
class DataSet:
    """Simulated genomes with their true genealogy."""

    name: DataSetName
    tree_sequence: tskit.TreeSequence
    genotypes: Genotypes

    @property
    def told(self) -> dict[str, float]:
        """What methods are told: the rates, and the diploid size that diversity gives."""
        return {
            "mutation_rate": MUTATION_RATE,
            "recombination_rate": RECOMBINATION_RATE,
            "population_size": self.genotypes.diversity() / (4 * MUTATION_RATE),
            "sequence_length": self.genotypes.end,
        }


def simulate(name: DataSetName) -> DataSet:
    """Simulate a data set; errors flip alleles of segregating sites, never the genealogy.

    Sites where some base mutated twice are left out (0.2 %), since not every method takes them.
    """
    case = CASES[name.case]
    ancestry = msprime.sim_ancestry(
        name.haplotypes // 2,
        demography=history(name.case),
        sequence_length=name.length,
        recombination_rate=case.recombination_rate,
        random_seed=name.seed * 1000 + 1,
    )
    truth = msprime.sim_mutations(ancestry, rate=MUTATION_RATE, random_seed=name.seed * 1000 + 2)
    once = [len(site.mutations) == 1 for site in truth.sites()]
    haplotypes = truth.genotype_matrix()[once].astype(np.int8)
    positions = truth.sites_position[once].astype(np.int64)
    if case.genotype_error > 0:
        generator = np.random.default_rng(name.seed * 1000 + 3)
        haplotypes ^= generator.random(haplotypes.shape) < case.genotype_error
    segregating = haplotypes.min(axis=1) != haplotypes.max(axis=1)
    genotypes = Genotypes.from_arrays(
        haplotypes[segregating], positions[segregating], start=0, end=name.length, ploidy=2
    )
    return DataSet(name, truth, genotypes)


def history(case: str) -> msprime.Demography:
    """Return the history of a case; the reference size is 10,000."""
    return demography(SimulateGenealogyConfig(demography=CASES[case].history))


def true_population_size(case: str, times: np.ndarray) -> np.ndarray:
    """Return the diploid size at times in generations before the present."""
    return history(case).debug().population_size_trajectory(times)[:, 0]


def write_data_set(folder: Path, data: DataSet) -> None:
    """Write what methods may read: `genotypes.npz`, `genotypes.vcf` and `told.json`.

    The arrays hold `haplotypes`, 0 ancestral and 1 derived, and `positions` from 0; the VCF counts
    from 1 as always, and its reference allele is the ancestral one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    genotypes = data.genotypes
    np.savez(
        folder / "genotypes.npz", haplotypes=genotypes.haplotypes, positions=genotypes.positions
    )
    (folder / "told.json").write_text(json.dumps(data.told, indent=2) + "\n", encoding="utf-8")
    names = "\t".join(genotypes.sample_names)
    lines = [
        "##fileformat=VCFv4.2",
        f"##contig=<ID=1,length={genotypes.end}>",
        '##INFO=<ID=AA,Number=1,Type=String,Description="Ancestral allele">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}",
    ]
    for position, row in zip(genotypes.positions, genotypes.haplotypes, strict=True):
        calls = "\t".join(f"{first}|{second}" for first, second in row.reshape(-1, 2))
        lines.append(f"1\t{position + 1}\t.\tA\tT\t.\tPASS\tAA=A\tGT\t{calls}")
    (folder / "genotypes.vcf").write_text("\n".join(lines) + "\n", encoding="utf-8")
