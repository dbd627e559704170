import dataclasses

import numpy as np
import pytest

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.redating import RedatingModel
from escapement_jax.genealogy.genome.genome_bins import make_bins
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.rate_map import RateMap
from tests.reference.random_posterior import BIN_EDGES, GRID_EDGES, random_posterior

POSITIONS = (BIN_EDGES[:-1] + BIN_EDGES[1:]) / 2


def redated_posterior(**options):
    posterior = random_posterior(**options)
    genotypes = posterior.genotypes
    bounds = genotypes.start, genotypes.end
    # Sites may share one of the few bins; the first of each stands for them.
    bins = np.searchsorted(BIN_EDGES, genotypes.positions, side="right") - 1
    first = np.unique(bins, return_index=True)[1]
    sites = Genotypes.from_arrays(
        genotypes.haplotypes[first], genotypes.positions[first], start=bounds[0], end=bounds[1]
    )
    model = RedatingModel(
        CoalescentClock.of(PiecewiseConstant.constant(5000.0)),
        make_bins(
            sites,
            BIN_EDGES,
            mutation=RateMap.constant(1e-7, *bounds),
            recombination=RateMap.constant(1e-8, *bounds),
        ),
        ancestral_misassignment=0.02,
    )
    settings = {**posterior.settings, "node_times": "redated"}
    return dataclasses.replace(posterior, redating=model, settings=settings)


def test_pairwise_tmrca_is_that_of_the_tree_sequences():
    posterior = redated_posterior()
    pairs = np.stack(np.triu_indices(6, 1), axis=1)
    tmrca = posterior.pairwise_tmrca(POSITIONS)
    for index, draw in enumerate(posterior.tree_sequences):
        expected = [[draw.at(x).tmrca(a, b) for x in POSITIONS] for a, b in pairs]
        np.testing.assert_array_equal(tmrca[index], expected)
        np.testing.assert_array_equal(draw.samples(), np.arange(6))
        assert '"node_times":"redated"' in draw.provenance(0).record.replace(" ", "")


def test_the_same_posterior_gives_the_same_times():
    first, again = redated_posterior(), redated_posterior()
    for one, other in zip(first.histories, again.histories, strict=True):
        np.testing.assert_array_equal(one.times, other.times)
    other_seed = dataclasses.replace(first, seed=first.seed + 1)
    assert (first.histories[0].times[:5] != other_seed.histories[0].times[:5]).all()


def test_no_level_is_left():
    posterior = redated_posterior(num_draws=40)
    times = np.concatenate([history.times for history in posterior.histories])
    assert len(np.unique(times)) == len(times)
    posterior_levels = dataclasses.replace(posterior, settings={})
    level, redated = (
        np.searchsorted(GRID_EDGES, p.pairwise_tmrca(POSITIONS), side="right")
        for p in (posterior_levels, posterior)
    )
    assert (level != redated).mean() > 0.2
    # Times cross the edges of levels without a step: as many just below as just above.
    for edge in GRID_EDGES[2:]:
        width = 0.1 * edge
        below = ((times > edge - width) & (times < edge)).sum()
        above = ((times > edge) & (times < edge + width)).sum()
        assert abs(below - above) < 5 * np.sqrt(below + above) + 0.2 * (below + above)


def test_other_node_times_can_still_be_asked_for():
    posterior = redated_posterior()
    level = posterior.tree_sequence(0, node_times="level")
    redated = posterior.tree_sequence(0)
    assert np.isin(level.at(2000).time(level.at(2000).root), posterior.time_grid_times)
    assert not np.isin(redated.at(2000).time(redated.at(2000).root), posterior.time_grid_times)


def test_a_posterior_without_rates_says_so():
    with pytest.raises(ValueError, match="need the rates of the run"):
        random_posterior().tree_sequence(0, node_times="redated")


def test_where_genotypes_may_be_wrong_times_are_redated_too():
    posterior = redated_posterior()
    doubting = dataclasses.replace(
        posterior, redating=dataclasses.replace(posterior.redating, genotype_error=0.01)
    )
    redated, uniform = (
        dataclasses.replace(doubting, settings={"node_times": told}).pairwise_tmrca(POSITIONS)
        for told in ("redated", "uniform")
    )
    assert (redated != uniform).all()
    assert (redated != posterior.pairwise_tmrca(POSITIONS)).any()
