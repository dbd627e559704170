"""The catalogue of readers to break: sound files, how they are read, and what must hold."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.command_line.tables import read_all_tables
from escapement_jax.io.accessibility_mask import read_accessibility_mask
from escapement_jax.io.curiosity.discoveries import read_parameters
from escapement_jax.io.curiosity.histories import read_history
from escapement_jax.io.demography_table import read_demography
from escapement_jax.io.elm_studies import read_study
from escapement_jax.io.homeostasis.read_input import read_metabolic_input, read_network
from escapement_jax.io.homeostasis.truth import read_truth
from escapement_jax.io.rate_maps import read_mutation_map, read_recombination_map
from escapement_jax.io.read_genotypes import read_genotypes
from escapement_jax.io.report.contents import read_contents
from escapement_jax.io.samples import read_sample_names
from escapement_jax.io.sbml import read_sbml
from tests.io.fuzzing import Reader
from tests.io.sound_files import (
    COUNTS,
    PEOPLE,
    SBML,
    STOICHIOMETRY,
    TRAITS,
    VCF,
    Files,
    annotated_data,
    arrays,
    compressed_trees,
    constraint_model,
    counts,
    hdf5_study,
    history,
    network_table,
    petab,
    plink,
    run_directory,
    samples,
    settings,
    time_courses,
    traits,
    trees,
    truth,
    zarr_store,
)


def nothing_is_dropped(genotypes: Any, files: Files) -> None:
    """Every record is a site, or is counted as dropped."""
    content = next(iter(files.values()))
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    records = [line for line in content.splitlines() if line.strip() and line[:1] != b"#"]
    kept = genotypes.num_sites + sum(genotypes.sites_dropped.values())
    assert kept == len(records), f"{len(records)} records, but {kept} are kept or counted"


def sound_genotypes(genotypes: Any, files: Files) -> None:
    assert genotypes.num_sites > 0
    assert set(np.unique(genotypes.haplotypes)) <= {-1, 0, 1}
    assert (np.diff(genotypes.positions) > 0).all()
    assert genotypes.start <= genotypes.positions[0] <= genotypes.positions[-1] < genotypes.end


def sound_vcf(genotypes: Any, files: Files) -> None:
    sound_genotypes(genotypes, files)
    nothing_is_dropped(genotypes, files)


def sound_study(study: Any, files: Files) -> None:
    individuals, loci = study.genotypes.shape
    assert len(study.phenotypes) == len(study.individual_names) == individuals
    assert len(study.locus_names) == loci
    assert len(set(study.individual_names)) == individuals
    assert not np.isinf(study.genotypes).any()
    assert not np.isinf(study.phenotypes).any()


def sound_courses(read: Any, files: Files) -> None:
    courses, network = read
    sound_network(network, files)
    values = np.asarray(courses.concentrations)
    assert values.shape[2] == network.num_metabolites
    assert (np.diff(np.asarray(courses.times)) > 0).all()
    assert not (values < 0).any()
    assert not np.isinf(values).any()


def sound_network(network: Any, files: Files) -> None:
    assert np.isfinite(np.asarray(network.stoichiometry)).all()
    assert (np.asarray(network.substrate_orders) >= 0).all()
    assert len(set(network.reaction_names)) == network.num_reactions
    assert len(set(network.metabolite_names)) == network.num_metabolites


def sound_model(network: Any, files: Files) -> None:
    assert network.reactants.shape == (len(network.states), len(network.reactions))
    assert np.isfinite(network.reactants).all()
    assert len(network.rate_laws) == len(network.reactions)


def sound_map(rates: Any, files: Files) -> None:
    assert (np.diff(rates.edges) > 0).all()
    assert (rates.rates >= 0).all()
    assert np.isfinite(rates.rates).all()


def sound_mask(mask: Any, files: Files) -> None:
    for intervals in mask.values():
        assert (intervals[:, 0] < intervals[:, 1]).all()
        assert (intervals[1:, 0] > intervals[:-1, 1]).all()
        assert intervals[0, 0] >= 0


def sound_sizes(read: Any, files: Files) -> None:
    times, sizes = read
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    assert (sizes > 0).all()
    assert np.isfinite(sizes).all()


def sound_truth(read: Any, files: Files) -> None:
    assert np.isfinite(np.asarray(read.model.rates)).all()
    assert np.isfinite(np.asarray(read.model.slopes)).all()
    assert np.asarray(read.types).min() >= 0


def sound_history(read: Any, files: Files) -> None:
    assert (
        len({len(one) for one in (read.parameters, read.descriptors, read.found, read.quality)})
        == 1
    )
    assert read.parameters.ndim == read.descriptors.ndim == 2
    assert read.found.dtype == bool
    json.loads(read.identity)


def sound_names(names: Any, files: Files) -> None:
    lines = next(iter(files.values())).decode().split("\n")
    expected = [line.split()[0] for line in lines if line.split() and line.split()[0][0] != "#"]
    assert len(names) >= len(expected)


def finite(values: Any, files: Files) -> None:
    assert np.isfinite(values).all()


def anything(read: Any, files: Files) -> None:
    assert read is not None


def genotypes_of(name: str, ancestral: str | None) -> Callable[[Path], Any]:
    return lambda folder: read_genotypes(folder / name, ancestral=ancestral)


def network() -> Any:
    from escapement_jax.homeostasis.network import Network

    names = {"metabolite_names": ["m0", "m1", "m2"], "reaction_names": ["r0", "r1"]}
    return Network.create(STOICHIOMETRY, **names)


READERS: dict[str, Reader] = {
    "vcf": Reader(
        lambda: {"genomes.vcf": VCF.encode()}, genotypes_of("genomes.vcf", "info:AA"), sound_vcf
    ),
    "vcf.gz": Reader(
        lambda: {"genomes.vcf.gz": gzip.compress(VCF.encode(), mtime=0)},
        genotypes_of("genomes.vcf.gz", "ref"),
        sound_vcf,
    ),
    "vcz": Reader(
        lambda: {"genomes.vcz.zip": zarr_store()},
        genotypes_of("genomes.vcz.zip", "info:AA"),
        sound_genotypes,
    ),
    "trees": Reader(
        lambda: {"genomes.trees": trees()}, genotypes_of("genomes.trees", None), sound_genotypes
    ),
    "tsz": Reader(
        lambda: {"genomes.tsz": compressed_trees()},
        genotypes_of("genomes.tsz", None),
        sound_genotypes,
    ),
    "recombination map": Reader(
        lambda: {"map.txt": b"pos chr cM\n1 1 0\n500 1 0.1\n900 1 0.5\n70 2 1\n90 2 2\n"},
        lambda folder: read_recombination_map(folder / "map.txt", "1"),
        sound_map,
    ),
    "recombination map, gzip": Reader(
        lambda: {"map.gz": gzip.compress(b"pos chr cM\n1 1 0\n500 1 0.1\n900 1 0.5\n", mtime=0)},
        lambda folder: read_recombination_map(folder / "map.gz", "1"),
        sound_map,
    ),
    "mutation map": Reader(
        lambda: {"rates.txt": b"#chr start end rate\n1 0 50 1e-8\n1 50 90 2e-8\n2 0 9 1e-8\n"},
        lambda folder: read_mutation_map(folder / "rates.txt", "1"),
        sound_map,
    ),
    "mask": Reader(
        lambda: {"mask.bed": b"track name=x\nchr1\t0\t50\nchr1\t40\t90\nchr2\t5\t9\n"},
        lambda folder: read_accessibility_mask(folder / "mask.bed"),
        sound_mask,
    ),
    "sample list": Reader(
        lambda: {"people.txt": b"# who\na\nb more words\nc\n"},
        lambda folder: read_sample_names(folder / "people.txt"),
        sound_names,
    ),
    "demography": Reader(
        lambda: {
            "sizes.csv": b"time_generations,population_size,more\n0,100,1\n50,200,2\n70,10,3\n"
        },
        lambda folder: read_demography(folder / "sizes.csv"),
        sound_sizes,
    ),
    "study npz": Reader(
        lambda: {"study.npz": arrays(genotypes=COUNTS, phenotypes=TRAITS, individual_names=PEOPLE)},
        lambda folder: read_study(folder / "study.npz"),
        sound_study,
    ),
    "study h5": Reader(
        lambda: {"study.h5": hdf5_study()},
        lambda folder: read_study(folder / "study.h5"),
        sound_study,
    ),
    "study csv": Reader(
        lambda: {"counts.csv": counts(), "traits.csv": traits()},
        lambda folder: read_study(folder / "counts.csv", folder / "traits.csv"),
        sound_study,
    ),
    "study bed": Reader(
        plink, lambda folder: read_study(folder / "plink.bed", folder / "traits.csv"), sound_study
    ),
    "study vcf": Reader(
        lambda: {
            "genomes.vcf": VCF.encode(),
            "traits.csv": b"who,t1\na,1\nb,2.5\nc,0\n",
        },
        lambda folder: read_study(folder / "genomes.vcf", folder / "traits.csv"),
        sound_study,
    ),
    "time courses npz": Reader(
        lambda: {"courses.npz": time_courses()},
        lambda folder: read_metabolic_input(folder / "courses.npz"),
        sound_courses,
    ),
    "time courses csv": Reader(
        lambda: {"courses.csv": samples(), "network.csv": network_table()},
        lambda folder: read_metabolic_input(folder / "courses.csv", folder / "network.csv"),
        sound_courses,
    ),
    "time courses h5ad": Reader(
        lambda: {"courses.h5ad": annotated_data(), "network.csv": network_table()},
        lambda folder: read_metabolic_input(folder / "courses.h5ad", folder / "network.csv"),
        sound_courses,
    ),
    "PEtab": Reader(
        petab, lambda folder: read_metabolic_input(folder / "problem.yaml"), sound_courses
    ),
    "BiGG JSON": Reader(
        lambda: {"model.json": constraint_model()},
        lambda folder: read_network(folder / "model.json"),
        sound_network,
    ),
    "SBML network": Reader(
        lambda: {"model.xml": SBML.encode()},
        lambda folder: read_network(folder / "model.xml"),
        sound_network,
    ),
    "SBML model": Reader(
        lambda: {"model.xml": SBML.encode()},
        lambda folder: read_sbml(folder / "model.xml"),
        sound_model,
    ),
    "truth": Reader(
        lambda: {"truth.json": truth()},
        lambda folder: read_truth(folder / "truth.json", network()),
        sound_truth,
    ),
    "history": Reader(lambda: {"history.npz": history()}, read_history, sound_history),
    "parameters": Reader(
        lambda: {"values.csv": b"name,value\nk1,0.5\nk2,-3\nk3,1e-3\n"},
        lambda folder: read_parameters(folder / "values.csv", ["k1", "k2", "k3"]),
        finite,
    ),
    "settings": Reader(
        lambda: {"settings.toml": settings()},
        lambda folder: read_all_tables(folder / "settings.toml"),
        anything,
    ),
    "run directory": Reader(run_directory, read_contents, anything),
}
"""Every reader by its name."""
