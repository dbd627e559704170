"""Groups keep a limit, and what ran out of memory is told with its remedy."""

import jax
import pytest

from escapement_jax.training.memory import (
    groups_within,
    limited,
    measured_bytes,
    memory_errors_named,
    memory_limit,
)


def sizes(*arguments):
    return [one.stop - one.start for one in groups_within(*arguments)]


def test_groups_are_equal_and_keep_the_limit():
    assert sizes(12, 1e12) == [12]
    with memory_limit(1.0):
        assert limited()
        assert sizes(12, 0.9e9) == [12]
        assert sizes(12, 2.5e9) == [4, 4, 4]
        assert sizes(12, 4.5e9) == [2] * 6
        assert sizes(12, 1e15) == [1] * 12
        assert sizes(12, 1e15, 4) == [4, 4, 4]
        assert groups_within(4, 2e9) == [slice(0, 2), slice(2, 4)]
    assert not limited()


def test_memory_is_measured_without_running():
    shape = jax.ShapeDtypeStruct((1000, 100), "float32")
    results, _ = measured_bytes(jax.jit(lambda x: 2 * x), shape)
    assert results == 400_000


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes."),
        jax.errors.JaxRuntimeError("INTERNAL: Error dispatching computation: Out of memory"),
    ],
)
def test_running_out_names_the_remedy(error):
    with pytest.raises(ValueError, match="out of memory.*lower --chains"):  # noqa: SIM117
        with memory_errors_named("lower --chains"):
            raise error


def test_other_errors_are_left_alone():
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):  # noqa: SIM117
        with memory_errors_named("lower --chains"):
            raise jax.errors.JaxRuntimeError("INTERNAL: something else")
