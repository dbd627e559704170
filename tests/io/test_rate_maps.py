"""Recombination and mutation maps."""

import numpy as np
import pytest

from escapement_jax.data import demo_recombination_map
from escapement_jax.io.rate_maps import read_mutation_map, read_recombination_map

PLAIN = "pos\tchr\tcM\n1\t1\t0.0\n101\t1\t0.1\n201\t1\t0.4\n5\t2\t9\n6\t2\t10\n"
HAPMAP = """Chromosome\tPosition(bp)\tRate(cM/Mb)\tMap(cM)
1\t1\t1000\t0.0
1\t101\t3000\t0.1
1\t201\t0\t0.4
"""
HAPMAP_WITHOUT_CONTIG = """position COMBINED_rate(cM/Mb) Genetic_Map(cM)
1 1000 0.0
101 3000 0.1
201 0 0.4
"""


@pytest.fixture
def write(tmp_path):
    """Write a map and return its path."""

    def write(text):
        path = tmp_path / "map.txt"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("text", [PLAIN, HAPMAP, HAPMAP_WITHOUT_CONTIG])
def test_every_form_of_recombination_map(write, text):
    rate_map = read_recombination_map(write(text), "1")
    np.testing.assert_allclose(rate_map.edges, [0, 100, 201])
    np.testing.assert_allclose(rate_map.rates, [1e-5, 3e-5])
    rate_map.require_cover(0, 201, "map")


def test_the_distance_is_kept():
    path = demo_recombination_map()
    table = np.loadtxt(path, skiprows=1)
    rate_map = read_recombination_map(path, "1")
    distance = rate_map.cumulative(table[-1, 0] - 1) - rate_map.cumulative(table[0, 0] - 1)
    assert distance == pytest.approx((table[-1, 2] - table[0, 2]) / 100)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 1 0\n101 1 1\n", "starts with a header"),
        ("", "starts with a header"),
        ("pos chr cM\n1 2 0\n9 2 1\n", "no contig '1'; it has '2'"),
        ("pos chr cM\n1 1 0\n", "needs two positions, seen 1"),
        (
            "pos chr cM\n1 1 0\n9 1 1\n9 1 2\n",
            r"strictly increasing; position 9 \(2 cM\) follows 9",
        ),
        ("pos chr cM\n1 1 0\n9 1 2\n11 1 1\n", r"must not decrease; position 11 \(1 cM\)"),
        ("pos chr cM\n1 1 0\nx 1 1\n", "line 3 needs a number in column 1, seen 'x'"),
        ("pos chr cM\n1 1 0\n9\n", "line 3 has fewer columns than the header"),
        ("pos chr cM\n1 1 0\n9 1 nan\n", "must not decrease"),
    ],
)
def test_recombination_map_refusals(write, text, message):
    with pytest.raises(ValueError, match=f"map.txt: .*{message}"):
        read_recombination_map(write(text), "1")


def test_mutation_map(write):
    rate_map = read_mutation_map(
        write("#chr start end rate\n1 0 10 1e-8\n2 3 4 1\n1 10 30 0\n"), "1"
    )
    np.testing.assert_allclose(rate_map.edges, [0, 10, 30])
    np.testing.assert_allclose(rate_map.rates, [1e-8, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0 10 -1e-8\n", "at least 0; seen -1e-08 between 0 and 10"),
        (
            "1 0 10 1e-8\n1 11 20 1e-8\n",
            "line 2 starts at 11 but the interval before it ends at 10",
        ),
        ("1 10 20 1e-8\n1 0 10 1e-8\n", "line 2 starts at 0"),
        ("1 10 5 1e-8\n", "5 follows 10"),
        ("chr1 0 10 1e-8\n", "no contig '1'; it has 'chr1'; did you mean 'chr1'"),
        ("1 0 10\n", "line 1 needs a number in column 4"),
    ],
)
def test_mutation_map_refusals(write, text, message):
    with pytest.raises(ValueError, match=f"map.txt: .*{message}"):
        read_mutation_map(write(text), "1")


@pytest.mark.parametrize("read", [read_mutation_map, read_recombination_map])
def test_an_absent_map_is_refused(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(tmp_path / "map.txt", "1")
