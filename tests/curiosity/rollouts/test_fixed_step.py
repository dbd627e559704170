import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.curiosity.rollouts import FixedStepRollout, RolloutCode
from escapement_jax.curiosity.rollouts.failures import failures
from escapement_jax.curiosity.systems import TranscriptionalCircuit, VectorFieldSystem

CIRCUIT = TranscriptionalCircuit()
PARAMETERS = CIRCUIT.box.sample(6, key=jax.random.key(0))
GROWTH = VectorFieldSystem(
    lambda t, y, args: args * y * y, state_low=[0], state_high=[3], low=[-1], high=[1]
)


def exact(parameters, times):
    y0, args = CIRCUIT.unpack(parameters)
    return diffrax.diffeqsolve(
        diffrax.ODETerm(CIRCUIT.vector_field),
        diffrax.Dopri8(),
        0.0,
        times[-1],
        0.01,
        y0,
        args,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=1e-10, atol=1e-10),
        max_steps=100_000,
    ).ys


def test_steps_agree_with_diffrax():
    rollout = FixedStepRollout(100, 0.05, 60, observed=(0, 1, 2))
    seen = rollout(CIRCUIT, PARAMETERS)
    times = jnp.asarray(np.arange(101) * 0.05)
    reference = jax.vmap(lambda p: exact(p, times))(PARAMETERS)
    np.testing.assert_allclose(
        seen.states, jnp.transpose(reference[:, 40:100], (2, 1, 0)), atol=2e-4
    )
    np.testing.assert_allclose(seen.final_state.T, reference[:, 100], atol=2e-4)
    assert (seen.codes == RolloutCode.OK).all()


def test_euler_on_decay_is_a_geometric_series_that_starts_at_the_initial_state():
    decay = VectorFieldSystem(
        lambda t, y, args: -args * y, state_low=[0], state_high=[1], low=[0], high=[1]
    )
    seen = FixedStepRollout(20, 0.1, 20, "euler")(decay, jnp.array([[0.8, 0.5]]))
    np.testing.assert_allclose(seen.states[0, :, 0], 0.8 * 0.95 ** np.arange(20), rtol=1e-12)


def test_times_are_those_of_the_steps():
    clock = VectorFieldSystem(lambda t, y, args: 2 * t[None], state_low=[0], state_high=[1])
    seen = FixedStepRollout(50, 0.1, 50)(clock, jnp.zeros((1, 1)))
    np.testing.assert_allclose(seen.states[0, :, 0], (0.1 * np.arange(50)) ** 2, atol=1e-12)


def test_a_batch_is_its_members_one_by_one():
    rollout = FixedStepRollout(30, 0.1, 10)
    together = rollout(CIRCUIT, PARAMETERS).states
    apart = jnp.concatenate([rollout(CIRCUIT, row[None]).states for row in PARAMETERS[:3]], -1)
    np.testing.assert_allclose(together[..., :3], apart, rtol=1e-10)


def test_a_member_that_blows_up_says_so_and_leaves_the_others_alone():
    rollout = FixedStepRollout(40, 0.1, 10)
    parameters = jnp.array([[2.0, 1.0], [1.0, -1.0]])
    seen = rollout(GROWTH, parameters)
    assert seen.codes.tolist() == [RolloutCode.NOT_FINITE, RolloutCode.OK]
    np.testing.assert_allclose(seen.final_state[0, 1], 1 / 5, rtol=1e-4)
    (failure,) = failures(GROWTH, rollout, parameters, seen.codes)
    # y' = y^2 from 2 is infinite at 0.5 s; fixed steps notice a little later.
    assert failure.index == 0
    assert 0.5 <= failure.time <= 1.2
    assert "y0=2" in str(failure)
    assert "smaller step_size" in str(failure)


class Push(eqx.Module):
    """Adds to the state at one step, and keeps it below a wall."""

    size: jax.Array
    batched: bool = eqx.field(static=True)

    def before_step(self, step, y, args):
        return jnp.where(step == 5, y + self.size, y), args

    def after_step(self, step, y, y_next, args):
        return jnp.minimum(y_next, 0.9)


def test_interventions_act_by_step_index():
    still = VectorFieldSystem(
        lambda t, y, args: 0 * y + 0.1, state_low=[0], state_high=[1], name="ramp"
    )
    action = Push(jnp.array([0.0, 0.5]), batched=True)
    seen = FixedStepRollout(10, 1.0, 10)(still, jnp.zeros((2, 1)), action).states[0]
    np.testing.assert_allclose(seen[:, 0], 0.1 * np.arange(10), atol=1e-12)
    expected = [0, 0.1, 0.2, 0.3, 0.4, 1.0, 0.9, 0.9, 0.9, 0.9]
    np.testing.assert_allclose(seen[:, 1], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_size": 0.0}, "above 0"),
        ({"num_kept": 2000}, "between 1 and num_steps"),
    ],
)
def test_impossible_horizons_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FixedStepRollout(**options)


def test_a_state_that_does_not_exist_cannot_be_observed():
    with pytest.raises(ValueError, match="states 0 to 2"):
        FixedStepRollout(observed=(3,))(CIRCUIT, PARAMETERS)
