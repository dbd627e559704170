import bed_reader
import h5py
import msprime
import numpy as np
import pytest

from escapement_jax.io.elm_arrays import write_npz_study
from escapement_jax.io.elm_studies import read_study
from tests.reference.random_effects import random_study

VCF = """##fileformat=VCFv4.2
##contig=<ID=1,length=100>
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tann\tbob\tcat
1\t10\t.\tA\tC\t.\t.\t.\tGT\t0/1\t1|1\t0/0
1\t20\t.\tA\tC,G\t.\t.\t.\tGT\t0/1\t1/1\t0/2
1\t20\t.\tA\tT\t.\t.\t.\tGT\t./1\t0/1\t0/0
1\t20\t.\tG\tT\t.\t.\t.\tGT\t1/1\t0/1\t0/0
"""


@pytest.fixture
def phenotypes(tmp_path):
    path = tmp_path / "traits.csv"
    path.write_text("name,height,yield\ncat,3,30\nann,1,NA\nbob,2,20\n")
    return path


def test_an_archive_gives_back_the_study_and_its_truth(tmp_path):
    study = random_study()
    write_npz_study(tmp_path / "study.npz", study)
    back = read_study(tmp_path / "study.npz")
    np.testing.assert_array_equal(back.genotypes, study.genotypes)
    np.testing.assert_array_equal(back.phenotypes, study.phenotypes)
    assert back.locus_names == study.locus_names
    np.testing.assert_array_equal(back.truth.additive, study.truth.additive)
    np.testing.assert_array_equal(back.truth.interaction_columns, study.truth.interaction_columns)


def test_hdf5_holds_the_same_arrays(tmp_path):
    with h5py.File(tmp_path / "study.h5", "w") as file:
        file["genotypes"] = np.array([[0, 1], [1, 0], [2, 2]])
        file["phenotypes"] = np.array([1.0, 2.0, 3.0])
        file["locus_names"] = ["x", "y"]
        file.create_group("ignored")
    study = read_study(tmp_path / "study.h5")
    assert study.locus_names == ("x", "y")
    assert study.phenotypes.shape == (3, 1)


def test_tables_are_matched_by_name(tmp_path, phenotypes):
    genotypes = tmp_path / "genotypes.csv"
    genotypes.write_text("name,l1,l2\nann,0,1\nbob,2,.\ncat,1,0\n")
    study = read_study(genotypes, phenotypes)
    np.testing.assert_array_equal(study.phenotypes, [[1, np.nan], [2, 20], [3, 30]])
    np.testing.assert_array_equal(study.genotypes, [[0, 1], [2, np.nan], [1, 0]])
    assert study.trait_names == ("height", "yield")


def test_vcf_is_read_phased_or_not(tmp_path, phenotypes):
    path = tmp_path / "calls.vcf"
    path.write_text(VCF)
    study = read_study(path, phenotypes)
    assert study.individual_names == ("ann", "bob", "cat")
    assert study.locus_names == ("1:10", "1:20", "1:20_2")
    np.testing.assert_array_equal(study.genotypes, [[1, np.nan, 2], [2, 1, 1], [0, 0, 0]])
    assert study.ploidy == 2


def test_plink_bed_is_read_with_missing_calls(tmp_path, phenotypes):
    counts = np.array([[0, 1.0], [2, np.nan], [1, 0]])
    properties = {"iid": ["ann", "bob", "cat"], "sid": ["rs1", "rs2"]}
    bed_reader.to_bed(tmp_path / "calls.bed", counts, properties=properties)
    study = read_study(tmp_path / "calls.bed", phenotypes)
    np.testing.assert_array_equal(study.genotypes, counts)
    assert study.locus_names == ("rs1", "rs2")


def test_tree_sequences_give_derived_alleles(tmp_path):
    ancestry = msprime.sim_ancestry(4, sequence_length=1000, random_seed=1)
    tree_sequence = msprime.sim_mutations(ancestry, rate=1e-3, random_seed=1)
    tree_sequence.dump(tmp_path / "history.trees")
    table = tmp_path / "traits.csv"
    table.write_text("name,t\n" + "".join(f"tsk_{i},{i}\n" for i in range(4)))
    study = read_study(tmp_path / "history.trees", table)
    two_alleles = [v for v in tree_sequence.variants() if len(v.alleles) == 2]
    expected = np.stack([v.genotypes.reshape(4, 2).sum(axis=1) for v in two_alleles], axis=1)
    np.testing.assert_array_equal(study.genotypes, expected)
    np.testing.assert_array_equal(study.phenotypes[:, 0], np.arange(4))


def test_individuals_that_do_not_match_are_named(tmp_path):
    (tmp_path / "genotypes.csv").write_text("name,l1,l2\nann,0,1\nbob,2,0\n")
    (tmp_path / "traits.csv").write_text("name,t\nann,1\ndan,2\n")
    with pytest.raises(ValueError, match=r"1 have no phenotype \(bob\) and 1 no genotype \(dan\)"):
        read_study(tmp_path / "genotypes.csv", tmp_path / "traits.csv")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("study.npz", "not an archive", "not a readable .npz"),
        ("study.h5", "not hdf5", "not a readable HDF5"),
        ("calls.vcf", "not a vcf", "not a readable VCF"),
        ("calls.xyz", "", "must end in .npz"),
        ("calls.csv", "name,l1\nann,0\n", "give a table of phenotypes too"),
    ],
)
def test_unusable_files_are_told_by_name(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_study(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,t\nann,1,2\n", "line 2: 3 cells under 2 headings"),
        ("name,t\nann,tall\n", "line 2: 'tall' is not a number"),
        ("name,t\nann,1\nann,2\n", "the row 'ann' occurs more than once"),
        ("name\nann\n", "give a header line"),
    ],
)
def test_bad_tables_are_told_by_line(tmp_path, text, message):
    (tmp_path / "genotypes.csv").write_text("name,l1\nann,0\n")
    (tmp_path / "traits.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_study(tmp_path / "genotypes.csv", tmp_path / "traits.csv")


def test_an_archive_without_genotypes_says_what_it_holds(tmp_path):
    np.savez(tmp_path / "study.npz", phenotypes=np.ones(3), other=np.ones(2))
    with pytest.raises(ValueError, match="no array 'genotypes'; the file holds other, phenotypes"):
        read_study(tmp_path / "study.npz")


def test_phenotypes_may_not_be_given_twice(tmp_path, phenotypes):
    write_npz_study(tmp_path / "study.npz", random_study())
    with pytest.raises(ValueError, match="phenotypes of its own"):
        read_study(tmp_path / "study.npz", phenotypes)
