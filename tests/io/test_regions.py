"""Regions as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.io.regions import Region, list_contigs, parse_region, require_contig

contigs = st.from_regex(r"[A-Za-z0-9_*.]{1,8}(:[0-9]{2}){0,2}", fullmatch=True)


@given(contigs, st.integers(0, 10**9), st.integers(1, 10**9))
def test_round_trip(contig, start, length):
    region = Region(contig, start, start + length)
    assert parse_region(str(region)) == region
    with_commas = f"{contig}:{start + 1:,}-{start + length:,}"
    assert parse_region(with_commas) == region


@given(contigs)
def test_a_contig_alone_has_no_bounds(contig):
    assert parse_region(contig) == Region(contig)
    assert str(Region(contig)) == contig


def test_both_ends_are_included():
    region = parse_region("chr1:5-6")
    assert [region.contains("chr1", p) for p in (3, 4, 5, 6)] == [False, True, True, False]
    assert not region.contains("chr2", 4)
    assert parse_region("chr1").contains("chr1", 10**9)


@pytest.mark.parametrize(
    "text", ["", " ", "chr1:", "chr1:5-", "chr1:-5", "chr1:a-b", "chr1:0-5", "chr1:6-5", "chr1:,-,"]
)
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError, match='write "chr1:1-200000"'):
        parse_region(text)


def test_an_absent_contig_lists_the_others():
    require_contig("1", ["1", "2"], "x.vcf")
    with pytest.raises(
        ValueError, match=r"x.vcf: no contig 'chr1'; it has '1', '2'; did you mean '1'"
    ):
        require_contig("chr1", ["1", "2"], "x.vcf")
    with pytest.raises(ValueError, match="did you mean 'chr1'"):
        require_contig("1", ["chr1"], "x.vcf")
    with pytest.raises(ValueError, match="it has none$"):
        require_contig("1", [], "x.vcf")


def test_long_lists_are_cut():
    assert list_contigs(map(str, range(30))).endswith("'9', ... (30 in all)")
