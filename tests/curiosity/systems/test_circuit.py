import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.curiosity.systems import TranscriptionalCircuit, VectorFieldSystem


def field(system, parameters):
    y, args = system.unpack(parameters)
    return system.vector_field(jnp.zeros(()), y, args)


@pytest.mark.parametrize("num_nodes", [1, 3, 10])
def test_field_is_the_published_formula(num_nodes):
    system = TranscriptionalCircuit(num_nodes, decay_range=(0.5, 2.0))
    parameters = system.box.sample(1, key=jax.random.key(0))[0]
    n, p = num_nodes, np.asarray(parameters)
    y, rest = p[:n], p[n:]
    inputs = rest[: n * n].reshape(n, n) @ y + rest[n * n : n * n + n]
    expected = 1 / (1 + np.exp(-inputs)) - rest[n * n + n :] * y
    np.testing.assert_allclose(field(system, parameters), expected, rtol=1e-12)
    assert len(system.parameter_names) == p.size == system.box.size


def test_no_gradient_is_nan_anywhere_in_the_box():
    """In single precision 1 / (1 + exp(-x)) has a NaN gradient below x = -89."""
    system = TranscriptionalCircuit(3, weight_range=(-90.0, 90.0), bias_range=(-90.0, 90.0))
    corners = jnp.concatenate(
        [system.box.low[None], system.box.high[None], system.box.sample(50, key=jax.random.key(1))]
    ).astype(jnp.float32)
    slopes = jax.vmap(jax.jacrev(lambda p: field(system, p)))(corners)
    assert slopes.dtype == jnp.float32
    assert bool(jnp.isfinite(slopes).all())


def test_masks_and_signs_narrow_the_box():
    mask = [[1, 0], [1, 1]]
    signs = [[-1, 0], [1, 0]]
    system = TranscriptionalCircuit(2, mask=mask, signs=signs)
    bounds = dict(
        zip(system.parameter_names, np.stack([system.box.low, system.box.high], 1), strict=True)
    )
    assert bounds["W00"].tolist() == [-30, 0]
    assert bounds["W01"].tolist() == [0, 0]
    assert bounds["W10"].tolist() == [0, 30]
    assert bounds["W11"].tolist() == [-30, 30]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_nodes": 0}, "at least 1"),
        ({"decay_range": (0.0, 1.0)}, "above 0"),
        ({"bias_range": (1.0, -1.0)}, "lower one first"),
        ({"mask": [[1, 1]]}, "one row per node"),
        ({"signs": [[2, 0, 0]] * 3}, "holds 2"),
        ({"signs": [[-1, 0, 0]] * 3, "weight_range": (1.0, 2.0)}, "empty"),
    ],
)
def test_impossible_circuits_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TranscriptionalCircuit(**options)


def test_any_field_of_the_user_makes_a_system():
    system = VectorFieldSystem(
        lambda t, y, args: args * y, state_low=[0.0], state_high=[1.0], low=[-1.0], high=[1.0]
    )
    np.testing.assert_allclose(field(system, jnp.array([0.5, -0.4])), [-0.2])
    assert system.parameter_names == ("y0", "c0")
    with pytest.raises(ValueError, match="2 names for 1 bounds"):
        VectorFieldSystem(
            lambda t, y, args: y, state_low=[0], state_high=[1], state_names=("a", "b")
        )
