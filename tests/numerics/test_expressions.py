"""Expressions against plain Python, and their gradients against finite differences."""

import math

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from escapement_jax.numerics.expressions import (
    Call,
    Number,
    Symbol,
    compile_expressions,
    in_order,
    substitute,
    symbols,
)

X, Y = Symbol("x"), Symbol("y")


def call(operator, *arguments):
    return Call(operator, tuple(arguments))


def value(expression, x=0.0, y=0.0):
    program = jax.jit(compile_expressions([expression], ("x", "y")))
    return float(program(jnp.asarray([x, y]))[0])


CASES = {
    "plus": (call("plus", X, Y, Number(1.0)), lambda x, y: x + y + 1),
    "times": (call("times", X, Y, Number(2.0)), lambda x, y: x * y * 2),
    "minus": (call("minus", X, Y), lambda x, y: x - y),
    "negative": (call("minus", X), lambda x, y: -x),
    "divide": (call("divide", X, Y), lambda x, y: x / y),
    "power": (call("power", X, Y), lambda x, y: x**y),
    "square": (call("power", X, Number(2.0)), lambda x, y: x**2),
    "inverse": (call("power", X, Number(-1.0)), lambda x, y: 1 / x),
    "root": (call("root", Number(3.0), X), lambda x, y: x ** (1 / 3)),
    "log": (call("log", Number(10.0), X), lambda x, y: math.log10(x)),
    "ln": (call("ln", X), lambda x, y: math.log(x)),
    "exp": (call("exp", X), lambda x, y: math.exp(x)),
    "factorial": (call("factorial", Number(5.0)), lambda x, y: 120.0),
    "max": (call("max", X, Y, Number(1.0)), lambda x, y: max(x, y, 1)),
    "min": (call("min", X, Y, Number(1.0)), lambda x, y: min(x, y, 1)),
    "floor": (call("floor", X), lambda x, y: math.floor(x)),
    "rem": (call("rem", X, Y), math.fmod),
    "quotient": (call("quotient", X, Y), lambda x, y: math.trunc(x / y)),
    "arctan": (call("arctan", X), lambda x, y: math.atan(x)),
    "sec": (call("sec", X), lambda x, y: 1 / math.cos(x)),
    "chain": (
        call("piecewise", X, call("lt", Number(0.5), X, Y), Number(7.0)),
        lambda x, y: x if 0.5 < x < y else 7.0,
    ),
    "logic": (
        call("piecewise", X, call("xor", call("lt", X, Y), call("true")), Y),
        lambda x, y: x if not x < y else y,
    ),
    "implies": (
        call("piecewise", X, call("implies", call("gt", X, Y), call("false")), Y),
        lambda x, y: x if not x > y else y,
    ),
    "three cases": (
        call("piecewise", X, call("lt", X, Y), Y, call("gt", X, Number(2.0)), Number(0.0)),
        lambda x, y: x if x < y else y if x > 2 else 0.0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operators_agree_with_python(name):
    expression, expected = CASES[name]
    for x, y in ((0.3, 2.2), (2.7, 1.3), (1.9, 0.4)):
        assert value(expression, x, y) == pytest.approx(expected(x, y), rel=1e-12)


@pytest.mark.parametrize("name", ["divide", "power", "square", "root", "log", "exp", "chain"])
def test_gradients_agree_with_finite_differences(name):
    program = jax.jit(compile_expressions([CASES[name][0]], ("x", "y")))
    at = jnp.asarray([1.3, 1.7])
    slope = jax.jit(jax.grad(lambda values: program(values)[0]))(at)
    step = 1e-6
    for axis in range(2):
        shift = step * jnp.eye(2)[axis]
        difference = (program(at + shift)[0] - program(at - shift)[0]) / (2 * step)
        assert float(slope[axis]) == pytest.approx(float(difference), rel=1e-7, abs=1e-8)


# What a branch that is not taken may hold: poles, roots of zero, overflow.
DANGEROUS = [
    call("divide", Y, X),
    call("times", Y, call("divide", Number(1.0), X)),
    call("sqrt", X),
    call("ln", X),
    call("power", X, Y),
    call("exp", call("times", Number(1e4), Y)),
    call("exp", call("divide", Y, X)),
    call("power", X, Number(-3.0)),
]


@pytest.mark.parametrize("branch", DANGEROUS)
def test_a_branch_not_taken_gives_no_nan_gradient(branch):
    guarded = call("piecewise", branch, call("gt", X, Number(1e-3)), call("times", X, Y))
    program = compile_expressions([guarded], ("x", "y"))
    found, slope = jax.jit(jax.value_and_grad(lambda values: program(values)[0]))(
        jnp.asarray([0.0, 2.0])
    )
    assert float(found) == 0.0
    np.testing.assert_allclose(slope, [2.0, 0.0])


def test_equal_subtrees_are_computed_once():
    shared = call("exp", call("times", X, Y))
    tower = shared
    for _ in range(60):  # Without sharing, 2^60 operations.
        tower = call("plus", tower, tower)
    flat = compile_expressions([call("plus", shared, shared), shared], ("x", "y"))
    assert flat.num_operations == 3
    assert value(call("divide", tower, Number(2.0**60)), 0.5, 0.5) == pytest.approx(math.exp(0.25))


def test_single_precision_stays_single():
    program = compile_expressions([CASES["root"][0], CASES["chain"][0]], ("x", "y"))
    assert program(jnp.asarray([1.0, 2.0], jnp.float32)).dtype == jnp.float32


@given(st.permutations(["a", "b", "c", "d"]))
def test_definitions_may_come_in_any_order(names):
    meanings = {"a": X, "b": call("plus", Symbol("a"), Number(1.0)), "c": Symbol("b")}
    meanings["d"] = call("times", Symbol("c"), Symbol("a"))
    definitions = [(name, meanings[name]) for name in names]
    ordered = [name for name, _ in in_order(definitions)]
    assert ordered.index("a") < ordered.index("b") < ordered.index("c") < ordered.index("d")
    program = compile_expressions([Symbol("d")], ("x",), definitions)
    assert float(program(jnp.asarray([3.0]))[0]) == 12.0


def test_substitution_is_simultaneous():
    swapped = substitute(call("minus", X, Y), {"x": Y, "y": X})
    assert swapped == call("minus", Y, X)
    assert symbols(call("plus", X, call("times", X, Symbol("k")))) == {"x", "k"}


def test_circles_and_strangers_are_named():
    with pytest.raises(ValueError, match="defined by each other: a, b"):
        in_order([("a", Symbol("b")), ("b", Symbol("a"))])
    with pytest.raises(ValueError, match="symbol z has no meaning"):
        compile_expressions([Symbol("z")], ("x",))
    with pytest.raises(ValueError, match="operator bessel is not known"):
        compile_expressions([call("bessel", X)], ("x",))
