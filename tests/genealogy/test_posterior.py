import dataclasses
import json

import numpy as np
import pytest
import tskit

from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from tests.reference.random_posterior import BIN_EDGES, GRID_EDGES, GRID_TIMES, random_posterior

ABOVE = np.append(GRID_EDGES[1:], np.inf)
POSITIONS = (BIN_EDGES[:-1] + BIN_EDGES[1:]) / 2


def levels_of(posterior, pairs):
    """Levels [draws, pairs, bins] read off the draws one bin at a time."""
    levels = np.empty((posterior.num_draws, len(pairs), len(POSITIONS)), int)
    for d, draw in enumerate(posterior.draws):
        for b in range(len(POSITIONS)):
            tree = draw.trees[(draw.first_bin <= b).sum() - 1]
            levels[d, :, b] = [tree[i, j] for i, j in pairs]
    return levels


def test_pairwise_tmrca_lies_in_its_level_and_changes_with_it():
    posterior = random_posterior()
    pairs = np.stack(np.triu_indices(6, 1), axis=1)
    tmrca, levels = posterior.pairwise_tmrca(POSITIONS), levels_of(posterior, pairs)
    assert tmrca.shape == levels.shape
    assert (GRID_EDGES[levels] <= tmrca).all()
    assert (tmrca < ABOVE[levels]).all()
    np.testing.assert_array_equal(np.diff(tmrca) != 0, np.diff(levels) != 0)


def test_pairwise_tmrca_does_not_depend_on_what_else_is_asked():
    posterior = random_posterior()
    everything = posterior.pairwise_tmrca(POSITIONS)
    some = posterior.pairwise_tmrca(POSITIONS[5:9], pairs=np.array([[1, 0], [3, 5]]))
    np.testing.assert_array_equal(some[:, 0], everything[:, 0, 5:9])
    pairs = np.stack(np.triu_indices(6, 1), axis=1).tolist()
    np.testing.assert_array_equal(some[:, 1], everything[:, pairs.index([3, 5]), 5:9])


@pytest.mark.parametrize(
    ("positions", "pairs", "message"),
    [
        ([999.0], [[0, 1]], "position 999.0 is outside"),
        ([5000.0], [[0, 1]], "position 5000.0 is outside"),
        ([2000.0], [[0, 6]], r"pair \[0, 6\]"),
        ([2000.0], [[2, 2]], r"pair \[2, 2\]"),
        ([2000.0], [0, 1], "give .pairs, 2"),
    ],
)
def test_places_and_pairs_that_are_not_there(positions, pairs, message):
    with pytest.raises(ValueError, match=message):
        random_posterior().pairwise_tmrca(np.array(positions), pairs=np.array(pairs))


def test_evidence_lower_bound_is_the_mean_total():
    posterior = random_posterior()
    totals = posterior.log_weights.sum(axis=1)
    assert posterior.elbo == pytest.approx(sum(totals) / 4)
    assert posterior.elbo_stderr == pytest.approx(np.sqrt(np.var(totals) * 4 / 3 / 4))
    assert np.isnan(random_posterior(num_draws=1).elbo_stderr)


def test_tree_sequences_repeat_and_differ_between_draws():
    posterior = random_posterior()
    first = posterior.tree_sequence(1)
    assert first.equals(posterior.tree_sequence(1), ignore_timestamps=True)
    assert not first.equals(posterior.tree_sequence(2), ignore_provenance=True)
    parameters = json.loads(first.provenance(0).record)["parameters"]
    assert parameters["draw"] == 1
    assert parameters["mutation_rate"] == 1.25e-8
    with pytest.raises(IndexError):
        posterior.tree_sequence(4)


def test_node_times_follow_the_settings():
    posterior = dataclasses.replace(random_posterior(), settings={"node_times": "level"})
    tree_sequence = posterior.tree_sequence(0)
    coalescent = tree_sequence.nodes_flags == 0
    assert np.isin(tree_sequence.nodes_time[coalescent], GRID_TIMES).all()
    jittered = posterior.tree_sequence(0, node_times="uniform")
    assert not np.isin(jittered.nodes_time[coalescent], GRID_TIMES).any()


def test_allele_ages_are_those_of_the_oldest_derived_mutation():
    posterior = random_posterior()
    ages = posterior.allele_ages()
    found = np.full((posterior.num_draws, posterior.genotypes.num_sites), np.nan)
    for draw in range(posterior.num_draws):
        for site in posterior.tree_sequence(draw).sites():
            times = [m.time for m in site.mutations if m.derived_state == "1"]
            if not tskit.is_unknown_time(times).any():
                found[draw, site.id] = max(times)
    np.testing.assert_allclose(ages.share_dated, np.isfinite(found).mean(axis=0))
    dated = np.isfinite(found).any(axis=0)
    assert dated.any()
    np.testing.assert_allclose(ages.mean[dated], np.nanmean(found[:, dated], axis=0))
    assert np.isnan(ages.mean[~dated]).all()
    assert (ages.lower_95 <= ages.mean)[dated].all()
    assert (ages.mean <= ages.upper_95)[dated].all()


def test_age_of_a_cherry_lies_on_the_branch_above_it():
    tree = np.array([[-1, 0, 2], [0, -1, 2], [2, 2, -1]], np.int8)
    draw = GraphDraw(tree[None], *(np.zeros(1, np.int32),) * 3)
    genotypes = Genotypes.from_arrays(
        np.array([[1, 1, 0]], np.int8), np.array([2000]), start=1000, end=5000
    )
    posterior = dataclasses.replace(
        random_posterior(),
        draws=(draw,) * 200,
        genotypes=genotypes,
        log_weights=np.zeros((200, 2)),
        settings={"node_times": "level"},
    )
    ages = posterior.allele_ages()
    low, high = GRID_TIMES[[0, 2]]
    # A uniform age: five standard errors of its mean.
    assert abs(ages.mean[0] - (low + high) / 2) < 5 * (high - low) / np.sqrt(12 * 200)
    assert low < ages.lower_95[0] < ages.upper_95[0] < high


def test_population_size_reports_the_epochs_asked_for():
    estimate = random_posterior().population_size
    assert len(estimate.time_generations) == 3
    assert estimate.time_generations[0] == 0
    assert (estimate.lower_95 <= estimate.upper_95).all()


def test_log_weights_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="log_weights has shape"):
        dataclasses.replace(random_posterior(), log_weights=np.zeros((4, 6)))
