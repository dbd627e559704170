"""Rate maps: cumulative expectations and their laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.genealogy.genome.rate_map import RateMap

rates = st.floats(0.0, 1e-6)
fractions = st.floats(0.0, 1.0)


@st.composite
def rate_maps(draw):
    """Maps of one to five intervals."""
    spans = draw(st.lists(st.integers(1, 10_000), min_size=1, max_size=5))
    edges = draw(st.integers(0, 1000)) + np.cumsum([0.0, *spans])
    return RateMap(edges, np.array([draw(rates) for _ in spans]))


def test_cumulative_by_hand():
    rate_map = RateMap(np.array([10.0, 20.0, 50.0]), np.array([1e-3, 2e-3]))
    np.testing.assert_allclose(
        rate_map.cumulative([10, 15, 20, 30, 50]), [0, 5e-3, 0.01, 0.03, 0.07]
    )
    assert float(rate_map.cumulative(15)) == pytest.approx(5e-3)
    assert rate_map.mean_rate(15, 30) == pytest.approx(0.025 / 15)


@given(rate_maps(), st.tuples(fractions, fractions, fractions))
def test_cumulative_is_additive_and_monotone(rate_map, places):
    start, end = rate_map.edges[[0, -1]]
    a, b, c = np.clip(start + np.sort(places) * (end - start), start, end)
    at_a, at_b, at_c = rate_map.cumulative(np.array([a, b, c]))
    assert 0 <= at_a <= at_b <= at_c
    if a < b < c:
        joined = rate_map.mean_rate(a, b) * (b - a) + rate_map.mean_rate(b, c) * (c - b)
        assert rate_map.mean_rate(a, c) * (c - a) == pytest.approx(joined, rel=1e-9, abs=1e-15)


@given(rate_maps(), st.floats(0.1, 10.0), fractions)
def test_cumulative_is_linear_in_the_rates(rate_map, factor, place):
    start, end = rate_map.edges[[0, -1]]
    position = np.clip(start + place * (end - start), start, end)
    scaled = RateMap(rate_map.edges, rate_map.rates * factor)
    assert scaled.cumulative(position) == pytest.approx(factor * rate_map.cumulative(position))


@given(rate_maps())
def test_cumulative_sums_the_intervals(rate_map):
    expected = np.dot(rate_map.rates, np.diff(rate_map.edges))
    assert rate_map.cumulative(rate_map.edges[-1]) == pytest.approx(expected)


@given(rates, st.integers(0, 1000), st.integers(1, 10_000))
def test_a_constant_map_is_linear_in_position(rate, start, length):
    rate_map = RateMap.constant(rate, start, start + length)
    positions = np.linspace(start, start + length, 7)
    np.testing.assert_allclose(rate_map.cumulative(positions), rate * (positions - start))
    assert rate_map.mean_rate(start, start + length) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("edges", "rates", "message"),
    [
        ([0.0, 10.0], [-1e-8], "at least 0; seen -1e-08 between 0 and 10"),
        ([0.0, 10.0], [np.nan], "finite"),
        ([0.0, 10.0, 10.0], [1e-8, 1e-8], "10 follows 10"),
        ([0.0, np.inf], [1e-8], "finite and strictly increasing"),
        ([0.0, 10.0], [1e-8, 1e-8], "one edge more"),
        ([0.0], [], "at least one rate"),
    ],
)
def test_refusals_name_the_offender(edges, rates, message):
    with pytest.raises(ValueError, match=message):
        RateMap(np.array(edges), np.array(rates))


def test_positions_outside_the_map_are_refused():
    rate_map = RateMap.constant(1e-8, 10, 20)
    for position in (9, 21, np.nan):
        with pytest.raises(ValueError, match="outside the rate map"):
            rate_map.cumulative([15, position])
    with pytest.raises(ValueError, match="start < end"):
        rate_map.mean_rate(15, 15)


def test_cover_is_required():
    rate_map = RateMap.constant(1e-8, 10, 20)
    rate_map.require_cover(10, 20, "mutation map")
    for start, end in ((9, 20), (10, 21)):
        with pytest.raises(ValueError, match="the mutation map covers base pairs 10 to 20"):
            rate_map.require_cover(start, end, "mutation map")
