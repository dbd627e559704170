"""VCF Zarr stores, as folders and zip files, in both versions of the format."""

import shutil
import sys
import warnings

import numpy as np
import pytest

from escapement_jax.io.read_genotypes import read_genotypes

zarr = pytest.importorskip("zarr")

CALLS = [[[0, 1], [1, 1]], [[0, 0], [-1, 1]], [[0, 1], [0, 0]], [[1, 1], [0, 1]]]
ARRAYS = {
    "call_genotype": np.array(CALLS, dtype=np.int8),
    "call_genotype_phased": np.ones((4, 2), dtype=bool),
    "contig_id": np.array(["chr1"]),
    "contig_length": np.array([1000]),
    "sample_id": np.array(["a", "b"]),
    "variant_AA": np.array(["a|||", "T", "", "A"]),
    "variant_allele": np.array([["A", "C", ""], ["G", "T", ""], ["A", "C", ""], ["A", "C", "T"]]),
    "variant_contig": np.zeros(4, dtype=np.int8),
    "variant_position": np.array([11, 21, 31, 41], dtype=np.int32),
}


@pytest.fixture
def write_store(tmp_path):
    """Write a store, with some arrays changed or (None) left out, and return its path."""

    def write(zarr_format=2, zipped=False, name="small.vcz", **changes):
        folder = tmp_path / "folder" / name
        with warnings.catch_warnings():
            # zarr says that strings of fixed length are not yet part of version 3.
            warnings.simplefilter("ignore")
            group = zarr.open_group(str(folder), mode="w", zarr_format=zarr_format)
            for array, data in (ARRAYS | changes).items():
                if data is not None:
                    chunks = (2, *data.shape[1:]) if array.startswith("call") else data.shape
                    group.create_array(array, data=data, chunks=chunks)
        if not zipped:
            return folder
        archive = shutil.make_archive(str(tmp_path / "archive"), "zip", folder)
        return shutil.move(archive, tmp_path / name)

    return write


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("zipped", "name"), [(False, "small.vcz"), (True, "small.vcz"), (True, "small.vcz.zip")]
)
def test_every_layout(write_store, zarr_format, zipped, name):
    genotypes = read_genotypes(write_store(zarr_format, zipped, name), ancestral="info:AA")
    assert genotypes.haplotypes.tolist() == [[0, 1, 1, 1], [1, 1, -1, 0]]
    assert genotypes.positions.tolist() == [10, 20]
    assert (genotypes.start, genotypes.end, genotypes.contig) == (10, 21, "chr1")
    assert genotypes.sample_names == ("a", "b")
    assert genotypes.ancestral_alleles == ("A", "T")
    assert genotypes.sites_dropped == {"unknown_ancestral_allele": 1, "multiallelic": 1}


def test_variable_strings_samples_and_region(write_store):
    strings = {name: ARRAYS[name].astype("T") for name in ("sample_id", "variant_allele")}
    path = write_store(3, **strings, contig_length=None)
    genotypes = read_genotypes(path, ancestral="ref", samples=["a"], region="chr1:25-35")
    assert genotypes.sample_names == ("a",)
    assert genotypes.positions.tolist() == [30]
    assert genotypes.haplotypes.tolist() == [[0, 1]]
    assert (genotypes.start, genotypes.end) == (24, 35)
    assert genotypes.sites_dropped == {"outside_region": 3}


def test_haploids_padded_to_two_alleles(write_store):
    calls = ARRAYS["call_genotype"].copy()
    calls[:, :, 1] = -2
    calls[0, 1, 0] = 1
    genotypes = read_genotypes(write_store(call_genotype=calls), ancestral="ref")
    assert genotypes.ploidy == 1
    assert genotypes.haplotypes.tolist() == [[0, 1]]


def test_the_region_is_the_contig_when_sites_span_half_of_it(write_store):
    genotypes = read_genotypes(write_store(contig_length=np.array([21])), ancestral="info:AA")
    assert (genotypes.start, genotypes.end) == (0, 21)


@pytest.mark.parametrize(
    ("changes", "ancestral", "message"),
    [
        ({}, None, "say which allele is ancestral"),
        ({"variant_AA": None}, "info:AA", "the VCF Zarr store has no variant_AA; it has call_gen"),
        ({"sample_id": None, "contig_id": None}, "ref", "has no contig_id, sample_id"),
        ({"call_genotype_phased": None}, "ref", "record chr1:11, sample a has the unphased"),
        ({"contig_length": np.array([5])}, "ref", "is outside the region|outside"),
    ],
)
def test_refusals(write_store, changes, ancestral, message):
    with pytest.raises(ValueError, match=message):
        read_genotypes(write_store(**changes), ancestral=ancestral)


def test_unreadable_stores_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.vcz: no such file"):
        read_genotypes(tmp_path / "nowhere.vcz", ancestral="ref")
    (tmp_path / "empty.vcz").mkdir()
    (tmp_path / "junk.vcz").write_text("hello")
    for name in ("empty.vcz", "junk.vcz"):
        with pytest.raises(ValueError, match=f"{name}: not a readable (VCF Zarr store|zip file)"):
            read_genotypes(tmp_path / name, ancestral="ref")


def test_a_missing_reader_says_what_to_install(write_store, monkeypatch):
    path = write_store()
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r'pip install "escapement-jax\[variants\]"'):
        read_genotypes(path, ancestral="ref")
