import dataclasses

import numpy as np
import pytest
from scipy import integrate, stats

from escapement_jax.genealogy.dating.coalescent_clock import CoalescentClock
from escapement_jax.genealogy.dating.redating import RedatingChain, redate
from escapement_jax.genealogy.dating.tree_history import NO_ITEM, TreeHistoryBuilder
from tests.reference.smc_simulator import redating_model, simulate_history, simulate_mutations

RATE = 1 / 20_000
CONSTANT = CoalescentClock(np.zeros(1), np.array([RATE]), np.zeros(1))
BOTTLENECK = CoalescentClock(
    np.array([0.0, 3000.0, 12000.0]), np.array([RATE, 5 * RATE, RATE / 2]), np.array([0, 0.15, 2.4])
)


class KnownMutations(RedatingChain):
    """A chain told on which branches alleles changed, (segment, item) for each history."""

    def __init__(self, histories, model, generator, mutations=None):
        super().__init__(histories, model, generator)
        mutations = mutations or [(np.zeros(0, int),) * 2] * len(histories)
        batch = self._batch
        segments = np.concatenate(
            [first + m[0] for first, m in zip(batch.first, mutations, strict=True)]
        )
        items = np.concatenate([m[1] for m in mutations])
        self.state = dataclasses.replace(
            self.state,
            mutated_child=batch.node_of(segments, items),
            mutated_parent=batch.node_of(segments, batch.parents[segments, items]),
        )

    def _draw_mutations(self):
        pass


def one_tree(num_samples, times):
    """A caterpillar that no recombination changes."""
    tree, top = TreeHistoryBuilder(num_samples), 0
    for sample, time in zip(range(1, num_samples), times, strict=True):
        top = tree.merge(top, sample, time)
    tree.start()
    return tree.finish()


def check_law(samples, density, *, points=400):
    """Kolmogorov-Smirnov against an unnormalised density, false alarms one in 10,000."""
    grid = np.quantile(samples, np.linspace(0, 1, points))
    grid = np.concatenate([[0.0], grid, grid[-1] * np.array([1.2, 1.5, 2, 3, 5])])
    steps = np.arange(20 * len(grid)) / 20
    fine = np.unique(np.interp(steps, np.arange(len(grid)), grid))
    mass = integrate.cumulative_simpson(density(fine), x=fine, initial=0)
    found = stats.kstest(np.interp(samples, fine, mass / mass[-1]), "uniform")
    assert found.pvalue > 1e-4, found


@pytest.mark.statistical
@pytest.mark.parametrize("clock", [CONSTANT, BOTTLENECK])
@pytest.mark.parametrize("mutations", [0, 3])
def test_two_samples_without_a_visible_recombination_follow_the_closed_form(clock, mutations):
    rho, mu = 2e-4, 2e-5
    model = redating_model(clock, rho, mu, num_samples=2)
    histories = [one_tree(2, [1000.0])] * 5000
    told = [(np.zeros(mutations, int), np.zeros(mutations, int))] * 5000
    chain = KnownMutations(histories, model, np.random.default_rng(1), told)
    for _ in range(15):
        chain.sweep()

    def density(t):
        # A recombination at u is silent with probability (1 - exp(-2 (Λ(t) - Λ(u)))) / 2.
        passed = clock.intensity(t)
        grown = integrate.cumulative_simpson(np.exp(2 * passed), x=t, initial=0)
        log_visible = -rho * (t + np.exp(-2 * passed) * grown)
        log_prior = clock.log_rate(t) - passed
        return t**mutations * np.exp(log_prior + log_visible - 2 * mu * t)

    check_law(chain.state.times[:-1], density)


@pytest.mark.statistical
@pytest.mark.parametrize("error", [0.0, 0.05])
def test_errors_do_not_explain_sites_away(error):
    """Two samples that vary at a site carry a mutation between them, whoever was called wrong."""
    sites, rate, mu = 3, 1e-7, 2e-5
    model = redating_model(CONSTANT, 0.0, mu, num_samples=2)
    bins = dataclasses.replace(
        model.bins,
        site_bin=np.arange(sites),
        site_mutation=np.full(sites, rate),
        genotypes=np.tile(np.array([[1, 0]], np.int8), (sites, 1)),
    )
    model = dataclasses.replace(model, bins=bins, genotype_error=error)
    chain = RedatingChain([one_tree(2, [10.0])] * 4000, model, np.random.default_rng(12))
    for _ in range(13):
        chain.sweep()
    total = 2 * (mu + sites * rate)
    check_law(
        chain.state.times[:-1],
        lambda t: t**sites * np.exp(-(total + RATE) * t),
    )


@pytest.mark.statistical
def test_the_prior_under_a_changing_population_size():
    model = redating_model(BOTTLENECK, 0.0, num_samples=2)
    chain = KnownMutations([one_tree(2, [500.0])] * 3000, model, np.random.default_rng(2))
    for _ in range(4):
        chain.sweep()
    times = chain.state.times[:-1]
    assert stats.kstest(BOTTLENECK.intensity(times), "expon").pvalue > 1e-4


@pytest.mark.statistical
def test_three_samples_follow_kingman_given_the_topology():
    model = redating_model(CONSTANT, 0.0, num_samples=3)
    chain = KnownMutations([one_tree(3, [100.0, 200.0])] * 2000, model, np.random.default_rng(3))
    for _ in range(20):
        chain.sweep()
    times = chain.state.times[:-1].reshape(-1, 2)
    assert stats.kstest(times[:, 0] * RATE * 3, "expon").pvalue > 1e-4
    assert stats.kstest(np.diff(times)[:, 0] * RATE, "expon").pvalue > 1e-4


def simulated(clock, num_samples, replicates, recombination, mutation, seed):
    generator = np.random.default_rng(seed)
    histories = [
        simulate_history(generator, num_samples, clock, recombination) for _ in range(replicates)
    ]
    mutations = [simulate_mutations(generator, h, mutation) for h in histories]
    model = redating_model(clock, recombination, mutation, num_samples=num_samples)
    return histories, mutations, model


def summaries(chain):
    """Mean log times, the oldest time, the middle tree's height, and the mean cut, by history."""
    histories = chain.histories()
    return np.array(
        [
            [
                np.log(h.times).mean(),
                np.log(h.times.max()),
                np.log(h.item_times(np.array([h.num_segments // 2])).max()),
                np.log(h.times.min()),
                h.cut_times.sum() / h.num_segments,
                h.num_silent,
            ]
            for h in histories
        ]
    )


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("clock", "num_samples", "seed"), [(CONSTANT, 2, 4), (CONSTANT, 5, 5), (BOTTLENECK, 4, 6)]
)
def test_the_truth_ranks_uniformly_among_draws(clock, num_samples, seed):
    replicates, draws = 200, 19
    histories, mutations, model = simulated(clock, num_samples, replicates, 5e-5, 1e-4, seed)
    truth = summaries(KnownMutations(histories, model, np.random.default_rng(0), mutations))
    # Start far from the truth: all times halved, which keeps their order.
    start = [
        dataclasses.replace(h, times=h.times / 2, cut_times=h.cut_times / 2) for h in histories
    ]
    chain = KnownMutations(start, model, np.random.default_rng(seed + 100), mutations)
    for _ in range(20):
        chain.sweep()
    found = []
    for _ in range(draws):
        for _ in range(3):
            chain.sweep()
        found.append(summaries(chain))
    # The simulation counts its silent records, the start of the chain does not.
    truth[:, -1] = [h.num_silent for h in histories]
    jitter = np.random.default_rng(7).random((draws + 1, *truth.shape)) * 1e-3
    ranks = (np.array(found) + jitter[1:] < truth + jitter[0]).sum(axis=0)
    for column in ranks.T:
        counts = np.bincount(column // 2, minlength=10)
        assert stats.chisquare(counts).pvalue > 1e-4, counts


@pytest.mark.statistical
def test_a_chain_started_at_the_truth_stays_in_law():
    histories, mutations, model = simulated(CONSTANT, 4, 400, 5e-5, 1e-4, 8)
    chain = KnownMutations(histories, model, np.random.default_rng(9), mutations)
    before = summaries(chain)[:, :5]
    for _ in range(15):
        chain.sweep()
    moved = summaries(chain)[:, :5] - before
    error = moved.std(axis=0) / np.sqrt(len(moved))
    assert (np.abs(moved.mean(axis=0)) < 4 * error).all(), moved.mean(axis=0) / error
    assert (moved.std(axis=0) > 0).all()


def test_order_is_kept_and_the_seed_decides():
    histories, _, model = simulated(CONSTANT, 6, 4, 2e-4, 0.0, 10)
    first, again, other = (redate(histories, model, seed=s, sweeps=3) for s in (1, 1, 2))
    for old, new, same, different in zip(histories, first, again, other, strict=True):
        np.testing.assert_array_equal(new.times, same.times)
        np.testing.assert_array_equal(new.cut_times, same.cut_times)
        assert (new.times != different.times).all()
        assert (new.times != old.times).all()
        times = new.item_times(np.arange(new.num_segments))
        above = np.take_along_axis(times, np.maximum(new.parents, 0), axis=1)
        assert ((above > times) | (new.parents == NO_ITEM)).all()
        later = np.arange(1, new.num_segments)
        child = new.cut_item[later]
        joined = times[later, new.parents[later, child]]
        left = times[later - 1, new.parents[later - 1, child]]
        assert (times[later - 1, child] < new.cut_times[later]).all()
        assert (new.cut_times[later] < np.minimum(left, joined)).all()


def test_histories_do_not_depend_on_how_they_are_batched(monkeypatch):
    histories, _, model = simulated(CONSTANT, 4, 5, 1e-4, 0.0, 11)
    together = redate(histories, model, seed=1, sweeps=1)
    monkeypatch.setattr("escapement_jax.genealogy.dating.redating.SEGMENTS_PER_BATCH", 10)
    apart = redate(histories, model, seed=1, sweeps=1)
    assert [len(h.times) for h in together] == [len(h.times) for h in apart]
    assert all((np.diff(h.first_bin) > 0).all() for h in apart)
