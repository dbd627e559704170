import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.curiosity.diversity import DescriptorGrid
from escapement_jax.curiosity.experiment import Observations
from escapement_jax.curiosity.search.archive import (
    EMPTY,
    no_occupants,
    num_empty_neighbours,
    pick,
    settle,
    settle_better,
)
from escapement_jax.curiosity.search.goals import nearest_rows, reached_extent
from escapement_jax.curiosity.search.local_inverse_model import ridge_slopes, smallest_step
from escapement_jax.curiosity.search.unstable_foci import fixed_points, is_unstable_focus
from escapement_jax.curiosity.systems import TranscriptionalCircuit

GRID = DescriptorGrid((0.0, 0.0), (1.0, 1.0), 3)


def observations(points, quality):
    number = len(points)
    return Observations(
        jnp.asarray(points),
        jnp.ones(number, bool),
        jnp.asarray(quality),
        jnp.zeros(number, jnp.int32),
    )


def test_the_first_in_a_cell_stays_and_strangers_do_not_settle():
    seen = observations([[0.1, 0.1], [0.2, 0.2], [0.9, 0.9], [2.0, 0.5]], [0.1, 0.9, 0.5, 0.5])
    archive = settle(no_occupants(GRID), GRID, seen, jnp.asarray(10))
    assert archive[0] == 10
    assert archive[8] == 12
    assert (archive < EMPTY).sum() == 2
    assert num_empty_neighbours(archive, GRID, jnp.dtype(float)).reshape(3, 3)[0, 0] == 2


def test_the_better_replaces_and_equals_do_not():
    quality = jnp.array([0.5, 0.5, 0.6, 0.6])
    first = observations([[0.1, 0.1]], [0.5])
    archive = settle_better(no_occupants(GRID), GRID, first, jnp.asarray(0), quality)
    equal = observations([[0.1, 0.1]], [0.5])
    assert settle_better(archive, GRID, equal, jnp.asarray(1), quality)[0] == 0
    better = observations([[0.1, 0.1], [0.2, 0.2]], [0.6, 0.6])
    assert settle_better(archive, GRID, better, jnp.asarray(2), quality)[0] == 2


def test_picks_follow_their_weights():
    """20,000 draws: five standard deviations of a share are at most 0.018."""
    weights = jnp.array([[0.0, 1.0, 3.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    uniform = jax.random.uniform(jax.random.key(0), (2, 20_000))
    drawn = pick(weights, uniform)
    shares = np.bincount(np.asarray(drawn[0]), minlength=4) / 20_000
    np.testing.assert_allclose(shares, [0, 0.25, 0.75, 0], atol=0.018)
    assert (drawn[1] == 0).all()


def test_both_forms_of_the_ridge_agree_and_recover_a_linear_map():
    rng = np.random.default_rng(1)
    slopes = rng.normal(size=(2, 6))
    steps = rng.normal(size=(1, 6, 6))
    weights = jnp.asarray(rng.random((1, 6)) + 0.5)
    padded = np.concatenate([steps, np.zeros((1, 6, 1))], -1)
    changes = jnp.asarray(steps @ slopes.T)
    narrow = ridge_slopes(jnp.asarray(steps), changes, weights, 1e-6)
    wide = ridge_slopes(jnp.asarray(padded), changes, weights, 1e-6)
    np.testing.assert_allclose(narrow, wide[..., :6], atol=1e-6)
    np.testing.assert_allclose(narrow[0], slopes, atol=1e-2)


def test_the_smallest_step_brings_the_change():
    slopes = jnp.asarray(np.random.default_rng(2).normal(size=(1, 3, 8)))
    change = jnp.array([[0.1, -0.2, 0.05]])
    step = smallest_step(slopes, change, 1e-9, 10.0)
    np.testing.assert_allclose(jnp.einsum("bci,bi->bc", slopes, step), change, atol=1e-6)
    expected = np.linalg.pinv(np.asarray(slopes[0])) @ np.asarray(change[0])
    np.testing.assert_allclose(step[0], expected, atol=1e-6)
    assert float(jnp.linalg.norm(smallest_step(slopes, 100 * change, 1e-9, 0.5))) <= 0.5 + 1e-9


def test_nearest_rows_are_those_of_numpy_and_complex_ends_are_lexicographic():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(1100, 4)) + 1j * rng.normal(size=(1100, 4))
    goals = rng.normal(size=(5, 4)) + 1j * rng.normal(size=(5, 4))
    counted = np.arange(1100) < 1030
    rows, distances = nearest_rows(
        jnp.asarray(points), jnp.asarray(counted), jnp.asarray(goals), jnp.asarray(1030)
    )
    apart = np.abs(points[None, :1030] - goals[:, None]).mean(-1)
    np.testing.assert_array_equal(rows, apart.argmin(1))
    np.testing.assert_allclose(distances, apart.min(1))
    low, high = reached_extent(jnp.asarray(points), jnp.asarray(counted))
    np.testing.assert_allclose(low, points[:1030].min(0))
    np.testing.assert_allclose(high, points[:1030].max(0))


def test_unstable_foci_are_those_of_the_eigenvalues():
    system = TranscriptionalCircuit()
    drawn = system.box.sample(4000, key=jax.random.key(4))
    y, resting, jacobian = fixed_points(system, drawn)
    matrices = np.moveaxis(np.asarray(jacobian), -1, 0)
    roots = np.linalg.eigvals(matrices)
    growing = roots.real > 0
    clear = (np.abs(roots.real) > 0.03).all(1) & np.asarray(resting)
    expected = growing.any(1) & (growing.sum(1) % 2 == 0)
    found = np.asarray(is_unstable_focus(jacobian))
    np.testing.assert_array_equal(found[clear], expected[clear])
    assert found[clear].sum() >= 5
    value = jax.vmap(lambda y, p: system.vector_field(jnp.zeros(()), y, system.unpack(p)[1]))(
        y.T, drawn
    )
    assert float(jnp.abs(value[np.asarray(resting)]).max()) < 1e-3
