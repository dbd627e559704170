"""Tree sequences as a source of genotypes."""

import sys

import msprime
import numpy as np
import pytest
import tskit

from escapement_jax.io.read_genotypes import read_genotypes


@pytest.fixture(scope="module")
def simulated():
    """Three diploids with about 100 sites."""
    ancestry = msprime.sim_ancestry(
        3, sequence_length=20_000, recombination_rate=1e-8, population_size=10_000, random_seed=1
    )
    return msprime.sim_mutations(ancestry, rate=1e-7, random_seed=1)


def expected_haplotypes(tree_sequence):
    """Haplotypes and positions of the biallelic sites, ancestral allele first."""
    kept = [v for v in tree_sequence.variants() if len(v.alleles) == 2]
    return np.array([v.genotypes for v in kept]), [v.site.position for v in kept]


def dump(tree_sequence, tmp_path):
    """Write a .trees file and return its path."""
    path = tmp_path / "small.trees"
    tree_sequence.dump(path)
    return path


def hand_made(positions=(5.0,), states=("A", "C"), individuals=(0, 0, 1, 1), metadata=None):
    """Four samples; every site has one mutation above samples 0 and 1."""
    tables = tskit.TableCollection(10)
    if metadata is not None:
        tables.individuals.metadata_schema = tskit.MetadataSchema.permissive_json()
    for i in range(max(individuals, default=-1) + 1):
        tables.individuals.add_row(metadata=metadata[i] if metadata is not None else None)
    for individual in individuals:
        tables.nodes.add_row(flags=tskit.NODE_IS_SAMPLE, time=0, individual=individual)
    for time in (1, 2, 3):
        tables.nodes.add_row(time=time)
    for parent, child in ((4, 0), (4, 1), (5, 2), (5, 3), (6, 4), (6, 5)):
        tables.edges.add_row(0, 10, parent, child)
    for site, position in enumerate(positions):
        tables.sites.add_row(position, states[0])
        tables.mutations.add_row(site=site, node=4, derived_state=states[1])
    tables.sort()
    return tables.tree_sequence()


@pytest.mark.parametrize("suffix", [".trees", ".tsz"])
def test_simulated_genotypes(simulated, tmp_path, suffix):
    path = tmp_path / f"small{suffix}"
    if suffix == ".tsz":
        tszip = pytest.importorskip("tszip")
        tszip.compress(simulated, path)
    else:
        simulated.dump(path)
    genotypes = read_genotypes(path)
    haplotypes, positions = expected_haplotypes(simulated)
    np.testing.assert_array_equal(genotypes.haplotypes, haplotypes)
    np.testing.assert_array_equal(genotypes.positions, positions)
    assert (genotypes.start, genotypes.end, genotypes.contig) == (0, 20_000, "1")
    assert genotypes.sample_names == ("tsk_0", "tsk_1", "tsk_2")
    assert genotypes.ploidy == 2
    assert genotypes.diversity() == pytest.approx(simulated.diversity(mode="site"), rel=0.05)


def test_vcf_of_the_same_genomes_agrees(simulated, tmp_path):
    pytest.importorskip("cyvcf2")
    path = tmp_path / "small.vcf"
    with path.open("w") as stream:
        simulated.write_vcf(stream, position_transform=lambda x: np.asarray(x).astype(int) + 1)
    from_vcf = read_genotypes(path, ancestral="ref", region="1:1-20000")
    genotypes = read_genotypes(dump(simulated, tmp_path))
    np.testing.assert_array_equal(from_vcf.haplotypes, genotypes.haplotypes)
    np.testing.assert_array_equal(from_vcf.positions, genotypes.positions)
    assert from_vcf.sample_names == genotypes.sample_names
    assert from_vcf.ancestral_alleles == genotypes.ancestral_alleles
    assert (from_vcf.start, from_vcf.end) == (genotypes.start, genotypes.end)


def test_samples_region_and_contig(simulated, tmp_path):
    genotypes = read_genotypes(
        dump(simulated, tmp_path), region="chr7:5001-15000", samples=["tsk_2", "tsk_0"]
    )
    haplotypes, positions = expected_haplotypes(simulated)
    chosen = haplotypes[:, [0, 1, 4, 5]]
    kept = (
        (np.ptp(chosen, axis=1) > 0)
        & (5000 <= np.array(positions))
        & (np.array(positions) < 15_000)
    )
    np.testing.assert_array_equal(genotypes.haplotypes, chosen[kept])
    assert (genotypes.start, genotypes.end, genotypes.contig) == (5000, 15_000, "chr7")
    assert genotypes.sample_names == ("tsk_0", "tsk_2")


def test_major_allele_overrides_the_ancestral_state(tmp_path):
    tree_sequence = hand_made(individuals=(-1, -1, -1, -1))
    path = dump(tree_sequence.simplify([0, 1, 2]), tmp_path)
    assert read_genotypes(path).haplotypes.tolist() == [[1, 1, 0]]
    assert read_genotypes(path, ancestral="major").haplotypes.tolist() == [[0, 0, 1]]
    assert read_genotypes(path).ploidy == 1


def test_names_and_order_of_individuals(tmp_path):
    metadata = [{"name": "x"}, {"name": "y"}]
    path = dump(hand_made(individuals=(1, 0, 1, 0), metadata=metadata), tmp_path)
    genotypes = read_genotypes(path)
    assert genotypes.sample_names == ("y", "x")
    assert genotypes.haplotypes.tolist() == [[1, 0, 1, 0]]


def test_back_mutations_stay_biallelic_and_coded_states_are_read(tmp_path):
    tables = hand_made(states=("0", "1")).dump_tables()
    tables.mutations.add_row(site=0, node=0, derived_state="0", parent=0)
    genotypes = read_genotypes(dump(tables.tree_sequence(), tmp_path))
    assert genotypes.haplotypes.tolist() == [[0, 1, 0, 0]]
    assert genotypes.ancestral_alleles == ("0",)


def test_multiallelic_sites_are_no_invariant_bases(tmp_path):
    tables = hand_made(positions=(2.0, 5.0)).dump_tables()
    tables.mutations.add_row(site=1, node=2, derived_state="G")
    genotypes = read_genotypes(dump(tables.tree_sequence(), tmp_path))
    assert genotypes.positions.tolist() == [2]
    assert genotypes.sites_dropped == {"multiallelic": 1}
    assert genotypes.accessible.tolist() == [[0, 5], [6, 10]]


def test_isolated_samples_are_missing(tmp_path):
    tables = hand_made().dump_tables()
    edges = tables.edges.copy()
    tables.edges.clear()
    for edge in edges:
        if edge.child != 3:
            tables.edges.append(edge)
    tables.sort()
    genotypes = read_genotypes(dump(tables.tree_sequence(), tmp_path))
    assert genotypes.haplotypes.tolist() == [[1, 1, 0, -1]]


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"positions": (5.0, 6.5)}, {}, "whole base pairs, seen 6.5"),
        ({"states": ("A", "CC")}, {}, "no usable site is left in 1:1-10 .* not_snp 1"),
        ({"individuals": (0, 0, 0, 1)}, {}, "sample node 3 has ploidy 1 where 3"),
        ({"individuals": (0, 0, 0, 0)}, {}, "has ploidy 4; only haploid"),
        ({"individuals": (0, 0, -1, -1)}, {}, "sample node 2 belongs to no individual"),
        ({}, {"ancestral": "ref"}, "states its ancestral alleles"),
        ({}, {"ancestral": "info:AA"}, "states its ancestral alleles"),
        ({}, {"region": "1:1-11"}, "beyond the end of contig '1'"),
        ({}, {"samples": ["z"]}, "not in the file: z"),
    ],
)
def test_refusals(tmp_path, changes, options, message):
    with pytest.raises(ValueError, match=message):
        read_genotypes(dump(hand_made(**changes), tmp_path), **options)


@pytest.mark.parametrize("name", ["junk.trees", "junk.tsz"])
def test_unreadable_files_are_refused(tmp_path, name):
    pytest.importorskip("tszip")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_genotypes(tmp_path / name)
    (tmp_path / name).write_text("hello")
    with pytest.raises(ValueError, match=f"{name}: not a readable"):
        read_genotypes(tmp_path / name)


def test_a_missing_reader_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tszip", None)
    (tmp_path / "small.tsz").write_text("hello")
    with pytest.raises(ImportError, match=r'pip install "escapement-jax\[variants\]"'):
        read_genotypes(tmp_path / "small.tsz")
