"""VCF and BCF: what is kept, dropped and refused."""

import gzip
import struct
import sys

import numpy as np
import pytest

from escapement_jax.data import demo_recombination_map, demo_vcf
from escapement_jax.genealogy.genome.genome_bins import make_bins
from escapement_jax.genealogy.genome.rate_map import RateMap
from escapement_jax.io.elm_variants import read_vcf_counts
from escapement_jax.io.rate_maps import read_recombination_map
from escapement_jax.io.read_genotypes import read_genotypes
from tests.io.conftest import HEADER

cyvcf2 = pytest.importorskip("cyvcf2")

TWO_SITES = ("11 A C A 0|1 1|1", "21 G T G 0|0 0|1")


def test_positions_alleles_and_polarisation(write_vcf):
    path = write_vcf("11 A C a||| 0|1 1|1", "21 G T T|x 0|0 0|1", "31 c t C 1|1 0|.")
    genotypes = read_genotypes(path, ancestral="info:AA")
    np.testing.assert_array_equal(genotypes.haplotypes, [[0, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, -1]])
    assert genotypes.positions.tolist() == [10, 20, 30]
    assert (genotypes.start, genotypes.end, genotypes.contig) == (10, 31, "chr1")
    assert genotypes.sample_names == ("a", "b")
    assert genotypes.ploidy == 2
    assert genotypes.ancestral_alleles == ("A", "T", "C")
    assert genotypes.derived_alleles == ("C", "G", "T")
    assert genotypes.sites_dropped == {}


def test_every_reason_to_drop(write_vcf):
    records = [
        "2 A C A 0|1 1|1",
        "11 A C A 0|1 1|1",
        "11 A G A 0|1 1|1",
        "12 A C,G A 0|1 1|1",
        "13 A AT A 0|1 1|1",
        "13 A <DEL> A 0|1 1|1",
        "13 N A A 0|1 1|1",
        "14 A C A 1|1 1|1",
        "15 A C A .|. .|.",
        "16 A . A 0|0 0|0",
        "17 A C G 0|1 1|1",
        "18 A C . 0|1 1|1",
        "19 A C .|| 0|1 1|1",
        "50 A C A 0|1 1|1",
        "60 A C A 0|1 1|1",
        "chr2:1 A C A 0|1 1|1",
    ]
    mask = write_vcf(name="mask.bed")
    mask.write_text("chr1\t0\t45\nchr1\t55\t1000\n")
    genotypes = read_genotypes(
        write_vcf(*records), ancestral="info:AA", region="chr1:5-55", mask=mask
    )
    assert genotypes.positions.tolist() == [10]
    assert genotypes.sites_dropped == {
        "outside_region": 3,
        "duplicate_position": 1,
        "multiallelic": 1,
        "not_snp": 3,
        "not_segregating": 3,
        "unknown_ancestral_allele": 3,
        "inaccessible": 1,
    }
    # Variants that are there but cannot be used are no invariant bases.
    assert genotypes.accessible.tolist() == [[4, 11], [13, 16], [19, 45]]


def test_variants_that_cannot_be_used_are_no_invariant_bases(write_vcf):
    path = write_vcf("11 A C A 0|1 1|1", "21 A C,G A 0|1 1|2", "31 A AT A 0|1 0|0")
    options = {"ancestral": "info:AA", "region": "chr1:1-100"}
    genotypes = read_genotypes(path, **options)
    alone = read_genotypes(write_vcf("11 A C A 0|1 1|1"), **options)
    assert (genotypes.accessible_length, alone.accessible_length) == (98, 100)
    assert genotypes.diversity() == pytest.approx(alone.diversity() * 100 / 98)
    rate = RateMap.constant(1e-8, 0, 100)
    bins = make_bins(genotypes, np.arange(0.0, 101, 10), mutation=rate, recombination=rate)
    np.testing.assert_allclose(bins.invariant_mutation, 1e-8 * np.array([10, *[9] * 3, *[10] * 6]))


@pytest.mark.parametrize("reverse", [False, True])
def test_an_indel_beside_a_snp_leaves_it(write_vcf, reverse):
    records = ["11 A C A 0|1 1|1", "11 A AT A 0|1 0|0"]
    path = write_vcf(*records[:: -1 if reverse else 1])
    genotypes = read_genotypes(path, ancestral="info:AA", region="chr1:1-100")
    assert genotypes.positions.tolist() == [10]
    assert genotypes.sites_dropped == {"not_snp": 1}
    assert genotypes.accessible.tolist() == [[0, 100]]


def test_major_allele_is_ancestral_and_ties_go_to_the_reference(write_vcf):
    path = write_vcf("11 A C . 0|1 1|1", "21 A C . 0|1 0|1", "31 A C . 0|0 0|1", "41 A C . .|0 1|1")
    genotypes = read_genotypes(path, ancestral="major")
    assert genotypes.ancestral_alleles == ("C", "A", "A", "C")
    assert genotypes.haplotypes[0].tolist() == [1, 0, 0, 0]


def test_reference_allele_is_ancestral(write_vcf):
    genotypes = read_genotypes(write_vcf("11 A C C 0|1 1|1"), ancestral="ref")
    assert genotypes.haplotypes[0].tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("ancestral", [None, "AA", "info:", "reference"])
def test_the_ancestral_rule_must_be_said(write_vcf, ancestral):
    with pytest.raises(ValueError, match=r'small.vcf: .*"info:AA".*"ref" or "major"'):
        read_genotypes(write_vcf(*TWO_SITES), ancestral=ancestral)


def test_missing_calls_are_data(write_vcf):
    path = write_vcf("11 A C A .|1 0|1", "21 A C A . 0|1", "31 A C A ./. 0|1", "41 A C A ./1 0|1")
    genotypes = read_genotypes(path, ancestral="info:AA")
    missing = [[-1, 1], [-1, -1], [-1, -1], [-1, -1]]
    np.testing.assert_array_equal(genotypes.haplotypes[:, :2], missing)


def test_haploid_individuals(write_vcf):
    genotypes = read_genotypes(
        write_vcf("11 A C A 0 1", "21 A C A 1 .", "31 A C A 1 0"), ancestral="ref"
    )
    assert genotypes.ploidy == 1
    np.testing.assert_array_equal(genotypes.haplotypes, [[0, 1], [1, 0]])


def test_samples_are_chosen_before_sites_are_judged(write_vcf, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("c\na\n")
    path = write_vcf("11 A C A 0|1 0/1 1|1", "21 A C A 0|0 0|1 0|0", samples=("a", "b", "c"))
    for samples in (names, str(names), ["c", "a"]):
        genotypes = read_genotypes(path, ancestral="ref", samples=samples)
        assert genotypes.sample_names == ("a", "c")
        assert genotypes.haplotypes.tolist() == [[0, 1, 1, 1]]
        assert genotypes.sites_dropped == {"not_segregating": 1}


def test_homozygous_calls_need_no_phase(write_vcf):
    genotypes = read_genotypes(write_vcf("11 A C A 0/0 1/1"), ancestral="ref")
    assert genotypes.haplotypes.tolist() == [[0, 0, 1, 1]]


def test_the_region_is_the_contig_when_sites_span_half_of_it(write_vcf):
    path = write_vcf("11 A C A 0|1 1|1", "600 A C A 0|1 1|1")
    for region in (None, "chr1"):
        genotypes = read_genotypes(path, ancestral="ref", region=region)
        assert (genotypes.start, genotypes.end) == (0, 1000)
    bounded = read_genotypes(path, ancestral="ref", region="chr1:11-20")
    assert (bounded.start, bounded.end) == (10, 20)


def test_no_contig_lines_are_needed(write_vcf):
    header = '##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="G">\n'
    path = write_vcf("11 A C . 0|1 1|1", "600 A C . 0|1 1|1", header=header)
    genotypes = read_genotypes(path, ancestral="ref")
    assert (genotypes.start, genotypes.end) == (10, 600)
    with pytest.raises(
        ValueError, match="no usable site is left in chrX.*there is no record|outside"
    ):
        read_genotypes(path, ancestral="ref", region="chrX")


@pytest.mark.parametrize(
    ("records", "options", "message"),
    [
        (["11 A C A 0|1 0/1"], {}, "record chr1:11, sample b has the unphased heterozygous"),
        (["11 A C A 0|1 1"], {}, "record chr1:11, sample b has ploidy 1 where 2"),
        (["11 A C A 0|1 1|1", "12 A C A 0 1"], {}, "record chr1:12, sample a has ploidy 1 where 2"),
        (["11 A C A 0|1|1 0|0|0"], {}, "record chr1:11, sample a has ploidy 3; only haploid"),
        (["11 A C A 0|2 0|0"], {}, "record chr1:11, sample a has allele 2 but the record lists 2"),
        (["21 A C A 0|1 1|1", "11 A C A 0|1 1|1"], {}, "record chr1:11 follows chr1:21"),
        (["11 A C A 0|1 1|1", "chr2:1 A C A 0|1 1|1"], {}, "more than one contig.*'chr1', 'chr2'"),
        (TWO_SITES, {"region": "chr1:1-1001"}, "beyond the end of contig 'chr1'.* 1000 base pairs"),
        (TWO_SITES, {"region": "1:1-100"}, "no contig '1'.*did you mean 'chr1'"),
        (TWO_SITES, {"region": "chr1:30-40"}, "no usable site .*chr1:30-40 .* outside_region 2"),
        (TWO_SITES, {"region": "chr1:30-20"}, "ends? no earlier"),
        (["11 A C,G A 0|1 1|1", "12 A AC A 0|1 1|1"], {}, "dropped: multiallelic 1, not_snp 1"),
        ([], {}, "the file holds no records"),
        (TWO_SITES, {"samples": ["a", "z"]}, "1 of 2 chosen samples are not in the file: z"),
        (TWO_SITES, {"samples": []}, "the list of samples is empty"),
    ],
)
def test_refusals_name_the_record(write_vcf, records, options, message):
    with pytest.raises(ValueError, match=message):
        read_genotypes(write_vcf(*records), ancestral="ref", **options)


@pytest.mark.parametrize(
    ("bed", "region", "message"),
    [
        ("chr1 500 600\n", "chr1:1-100", "no accessible base in region chr1:1-100"),
        ("chr1 500 600\n", None, "no usable site is left in chr1 .* inaccessible 2"),
        ("1 0 100\n", None, "accessibility mask for .*no contig 'chr1'.*did you mean '1'"),
    ],
)
def test_a_mask_must_cover_the_region(write_vcf, tmp_path, bed, region, message):
    mask = tmp_path / "mask.bed"
    mask.write_text(bed)
    with pytest.raises(ValueError, match=message):
        read_genotypes(write_vcf(*TWO_SITES), ancestral="ref", region=region, mask=mask)


def test_sites_only_files_are_refused(write_vcf):
    path = write_vcf("11 A C A", samples=())
    path.write_text(path.read_text().replace("\tFORMAT", "").replace("\tGT", ""))
    with pytest.raises(ValueError, match="the file holds no samples"):
        read_genotypes(path, ancestral="ref")


def test_records_without_genotypes_are_refused(write_vcf):
    path = write_vcf(*TWO_SITES, header=HEADER.replace("ID=GT", "ID=XX"))
    path.write_text(path.read_text().replace("\tGT\t", "\tXX\t"))
    with pytest.raises(ValueError, match=r"record chr1:11 has no genotypes \(GT\)"):
        read_genotypes(path, ancestral="ref")


def test_unreadable_files_are_refused(tmp_path, write_vcf):
    with pytest.raises(FileNotFoundError, match="nowhere.vcf: no such file"):
        read_genotypes(tmp_path / "nowhere.vcf", ancestral="ref")
    junk = tmp_path / "junk.vcf"
    junk.write_text("hello\n")
    with pytest.raises(ValueError, match=r"junk.vcf: not a readable VCF"):
        read_genotypes(junk, ancestral="ref")
    broken = write_vcf(*TWO_SITES)
    broken.write_text(broken.read_text() + "chr1\txx\t.\n")
    with pytest.raises(ValueError, match="has 3 columns where the header has 11"):
        read_genotypes(broken, ancestral="ref")


@pytest.mark.parametrize("kind", ["vcf.gz", "bcf"])
@pytest.mark.parametrize("left", [slice(8000), slice(-28)])
def test_a_truncated_file_is_refused(tmp_path, kind, left):
    """Cut within a block of bgzip, or behind one."""
    path = tmp_path / f"cut.{kind}"
    if kind == "bcf":
        write_bcf(path, demo_vcf())
    else:
        path.write_bytes(demo_vcf().read_bytes())
    path.write_bytes(path.read_bytes()[left])
    message = "cut.* the compressed file is cut short: its last block is missing"
    with pytest.raises(ValueError, match=message):
        read_genotypes(path, ancestral="ref")
    write_index(path, "1")
    with pytest.raises(ValueError, match=message):
        read_genotypes(path, ancestral="ref", region="1:11750000-11760000")
    with pytest.raises(ValueError, match=message):
        read_vcf_counts(path)


def test_unknown_kinds_of_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x.csv: the kind of file is told by its name.*\.vcf"):
        read_genotypes(tmp_path / "x.csv")


def test_a_missing_reader_says_what_to_install(write_vcf, monkeypatch):
    monkeypatch.setitem(sys.modules, "cyvcf2", None)
    with pytest.raises(ImportError, match=r'pip install "escapement-jax\[variants\]"'):
        read_genotypes(write_vcf(*TWO_SITES), ancestral="ref")


def test_compressed_and_binary_files_are_the_same(write_vcf, tmp_path):
    plain = write_vcf(*TWO_SITES)
    expected = read_genotypes(plain, ancestral="info:AA")
    zipped = tmp_path / "small.vcf.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    binary = tmp_path / "small.bcf"
    write_bcf(binary, plain)
    for path in (zipped, binary):
        genotypes = read_genotypes(str(path), ancestral="info:AA")
        np.testing.assert_array_equal(genotypes.haplotypes, expected.haplotypes)
        np.testing.assert_array_equal(genotypes.positions, expected.positions)


def write_bcf(path, vcf):
    source = cyvcf2.VCF(str(vcf))
    writer = cyvcf2.Writer(str(path), source, mode="wb")
    for variant in source:
        writer.write_record(variant)
    writer.close()


def write_index(path, contig):
    """Write the simplest tabix index: one bin that holds every block after the header's."""
    first_record = struct.unpack("<H", path.read_bytes()[16:18])[0] + 1
    names = contig.encode() + b"\0"
    header = struct.pack("<8i", 1, 2, 1, 2, 0, ord("#"), 0, len(names))
    one_bin = struct.pack("<iIiQQi", 1, 0, 1, first_record << 16, path.stat().st_size << 16, 0)
    index = gzip.compress(b"TBI\1" + header + names + one_bin)
    path.with_name(f"{path.name}.tbi").write_bytes(index)


def test_an_index_limits_what_is_read(tmp_path):
    path = tmp_path / "demo.vcf.gz"
    path.write_bytes(demo_vcf().read_bytes())
    options = {"ancestral": "info:AA", "region": "1:11750000-11760000"}
    streamed = read_genotypes(path, **options)
    write_index(path, "1")
    indexed = read_genotypes(path, **options)
    np.testing.assert_array_equal(indexed.haplotypes, streamed.haplotypes)
    np.testing.assert_array_equal(indexed.positions, streamed.positions)
    assert streamed.sites_dropped["outside_region"] > 700
    assert "outside_region" not in indexed.sites_dropped


def test_the_shipped_genomes():
    genotypes = read_genotypes(demo_vcf(), ancestral="info:AA")
    assert (genotypes.num_sites, genotypes.num_haplotypes, genotypes.ploidy) == (761, 40, 2)
    assert genotypes.sites_dropped == {
        "not_segregating": 6,
        "unknown_ancestral_allele": 21,
        "not_snp": 1,
    }
    assert 5e-4 < genotypes.diversity() < 2e-3
    recombination_map = read_recombination_map(demo_recombination_map(), genotypes.contig)
    recombination_map.require_cover(genotypes.start, genotypes.end, "recombination map")
    assert 1e-9 < recombination_map.mean_rate(genotypes.start, genotypes.end) < 1e-7
