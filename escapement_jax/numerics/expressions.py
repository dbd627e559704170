"""Mathematical expressions as data, and their evaluation by JAX.

An expression is a tree of numbers, symbols and calls. Trees are turned into a straight-line
program in which equal subtrees are computed once; the program is an ordinary JAX function.

Gradients are never NaN where values are finite. A branch of `piecewise` that is not taken may hold
infinite values, and zero times an infinite derivative would be NaN; so where a partial derivative
of an operator is not finite, zero is taken in its place.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

LARGEST_UNROLLED_POWER = 64


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Symbol:
    """A quantity with a name."""

    name: str


@dataclass(frozen=True)
class Call:
    """An operator of `OPERATORS` (or `piecewise`, `power`) applied to arguments.

    `piecewise` takes value, condition, value, condition, ... and a last value for "otherwise".
    """

    operator: str
    arguments: tuple["Expression", ...]


Expression: TypeAlias = Number | Symbol | Call
Definition: TypeAlias = tuple[str, Expression]

TIME = Symbol("<time>")
"""Time itself; no identifier of a model can be spelled like this."""


def _finite_derivatives(operator: Callable[..., Array]) -> Callable[..., Array]:
    """Give a scalar operator partial derivatives that are zero where they are not finite."""
    wrapped = jax.custom_jvp(operator)

    @wrapped.defjvp
    def _tangent(primals, tangents):
        slopes = jax.grad(operator, argnums=tuple(range(len(primals))))(*primals)
        finite = [jnp.where(jnp.isfinite(slope), slope, 0.0) for slope in slopes]
        terms = [slope * tangent for slope, tangent in zip(finite, tangents, strict=True)]
        return operator(*primals), functools.reduce(jnp.add, terms)

    return wrapped


def _folded(binary: Callable[..., Array]) -> Callable[..., Array]:
    return lambda *values: functools.reduce(binary, values)


def _chain(relation: Callable[..., Array]) -> Callable[..., Array]:
    """Read `a < b < c` as `a < b and b < c`."""
    return lambda *values: functools.reduce(
        jnp.logical_and, [relation(a, b) for a, b in zip(values, values[1:], strict=False)]
    )


def _quotient(dividend: Array, divisor: Array) -> Array:
    return jnp.trunc(dividend / divisor)


def _remainder(dividend: Array, divisor: Array) -> Array:
    return dividend - divisor * jnp.trunc(dividend / divisor)


_SMOOTH: dict[str, Callable[..., Array]] = {
    "divide": jnp.divide,
    "power": jnp.power,
    "root": lambda degree, value: jnp.power(value, 1.0 / degree),
    "sqrt": jnp.sqrt,
    "exp": jnp.exp,
    "ln": jnp.log,
    "log": lambda base, value: jnp.log(value) / jnp.log(base),
    "factorial": lambda value: jnp.exp(jax.scipy.special.gammaln(value + 1.0)),
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "sec": lambda x: 1.0 / jnp.cos(x),
    "csc": lambda x: 1.0 / jnp.sin(x),
    "cot": lambda x: 1.0 / jnp.tan(x),
    "arcsin": jnp.arcsin,
    "arccos": jnp.arccos,
    "arctan": jnp.arctan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
    "arcsinh": jnp.arcsinh,
    "arccosh": jnp.arccosh,
    "arctanh": jnp.arctanh,
    "abs": jnp.abs,
    "floor": jnp.floor,
    "ceiling": jnp.ceil,
    "rem": _remainder,
    "quotient": _quotient,
}

OPERATORS: dict[str, Callable[..., Any]] = {
    **{name: _finite_derivatives(operator) for name, operator in _SMOOTH.items()},
    "plus": _folded(jnp.add),
    "times": _folded(_finite_derivatives(jnp.multiply)),
    "minus": lambda *values: -values[0] if len(values) == 1 else values[0] - values[1],
    "max": _folded(jnp.maximum),
    "min": _folded(jnp.minimum),
    "eq": _chain(jnp.equal),
    "neq": jnp.not_equal,
    "lt": _chain(jnp.less),
    "leq": _chain(jnp.less_equal),
    "gt": _chain(jnp.greater),
    "geq": _chain(jnp.greater_equal),
    "and": _folded(jnp.logical_and),
    "or": _folded(jnp.logical_or),
    "xor": _folded(jnp.logical_xor),
    "not": jnp.logical_not,
    "implies": lambda a, b: jnp.logical_or(jnp.logical_not(a), b),
    "true": lambda: jnp.asarray(True),
    "false": lambda: jnp.asarray(False),
}
"""What every operator computes; `piecewise` and powers of whole numbers are handled apart."""

UNITS = {"plus": 0.0, "times": 1.0}
"""Sums and products of nothing."""


def symbols(expression: Expression) -> frozenset[str]:
    """Return the names of all symbols in an expression."""
    names, seen, waiting = set(), set(), [expression]
    while waiting:
        part = waiting.pop()
        # A subtree may be shared by many parents: a tree in memory is really a graph.
        if isinstance(part, Symbol):
            names.add(part.name)
        elif isinstance(part, Call) and id(part) not in seen:
            seen.add(id(part))
            waiting += part.arguments
    return frozenset(names)


def substitute(expression: Expression, values: Mapping[str, Expression]) -> Expression:
    """Replace symbols by expressions, all at once; what was shared stays shared."""
    done: dict[int, Expression] = {}

    def replaced(part: Expression) -> Expression:
        if isinstance(part, Symbol):
            return values.get(part.name, part)
        if isinstance(part, Number):
            return part
        if id(part) not in done:
            done[id(part)] = Call(part.operator, tuple(map(replaced, part.arguments)))
        return done[id(part)]

    return replaced(expression)


def in_order(definitions: Sequence[Definition]) -> tuple[Definition, ...]:
    """Sort definitions so that each uses only names defined before it.

    Raises:
        ValueError: some definitions need each other; names them.
    """
    waiting = dict(definitions)
    ordered: list[Definition] = []
    while waiting:
        ready = [name for name, meaning in waiting.items() if not symbols(meaning) & set(waiting)]
        if not ready:
            raise ValueError(f"these are defined by each other: {', '.join(sorted(waiting))}")
        ordered += [(name, waiting.pop(name)) for name in ready]
    return tuple(ordered)


@dataclass(frozen=True)
class Program:
    """Expressions as a list of steps; each step uses results of earlier ones.

    Attributes:
        arguments: names of the inputs, which take the first places in the list of results.
        steps: operator and places of its arguments; a `Number` stands for itself.
        outputs: places of the results that are asked for.
    """

    arguments: tuple[str, ...]
    steps: tuple[tuple[str, tuple[int, ...]] | Number, ...]
    outputs: tuple[int, ...]

    def __call__(self, values: Float[Array, " arguments"]) -> Float[Array, " outputs"]:
        """Evaluate the expressions for one vector of arguments."""
        results: list[Any] = [values[place] for place in range(len(self.arguments))]
        for step in self.steps:
            results.append(step.value if isinstance(step, Number) else _apply(step, results))
        if not self.outputs:
            return jnp.zeros((0,), values.dtype)
        return jnp.stack([jnp.asarray(results[at], values.dtype) for at in self.outputs])


def compile_expressions(
    expressions: Sequence[Expression],
    arguments: Sequence[str],
    definitions: Sequence[Definition] = (),
) -> Program:
    """Turn expressions into one pure JAX function that computes every distinct subtree once.

    Args:
        expressions: what to compute.
        arguments: names of the entries of the input vector.
        definitions: names that the expressions may use besides the arguments, each with its
            meaning, in any order.

    Returns:
        A function from [arguments] to [expressions], to be jitted, differentiated and vmapped.

    Raises:
        ValueError: a symbol or an operator is unknown, or definitions need each other.
    """
    places = {name: place for place, name in enumerate(arguments)}
    steps: list[tuple[str, tuple[int, ...]] | Number] = []
    known: dict[tuple[str, tuple[int, ...]] | Number, int] = {}
    visited: dict[int, int] = {}

    def place_of(expression: Expression) -> int:
        if isinstance(expression, Symbol):
            if expression.name not in places:
                raise ValueError(f"the symbol {expression.name} has no meaning here")
            return places[expression.name]
        if id(expression) in visited:
            return visited[id(expression)]
        if isinstance(expression, Number):
            step = expression
        else:
            _check_operator(expression)
            step = (expression.operator, tuple(map(place_of, expression.arguments)))
        if step not in known:
            known[step] = len(arguments) + len(steps)
            steps.append(step)
        visited[id(expression)] = known[step]
        return known[step]

    for name, meaning in in_order(definitions):
        places[name] = place_of(meaning)
    outputs = tuple(map(place_of, expressions))
    return Program(tuple(arguments), tuple(steps), outputs)


def _check_operator(call: Call) -> None:
    if call.operator not in OPERATORS and call.operator != "piecewise":
        raise ValueError(f"the operator {call.operator} is not known")


def _apply(step: tuple[str, tuple[int, ...]], results: Sequence[Any]) -> Any:
    operator, places = step
    values = [results[place] for place in places]
    if operator == "piecewise":
        return _piecewise(values)
    if operator == "power" and _is_small_whole(values[1]):
        return _finite_derivatives(functools.partial(jax.lax.integer_pow, y=int(values[1])))(
            jnp.asarray(values[0])
        )
    if not values and operator in UNITS:
        return UNITS[operator]
    if operator in _SMOOTH or operator == "times":
        values = _same_kind(values)
    return OPERATORS[operator](*values)


def _same_kind(values: Sequence[Any]) -> list[Array]:
    """Turn Python numbers into arrays of the kind of their partners, for the derivative rule."""
    kind = jnp.result_type(float, *values)
    return [jnp.asarray(value, kind) for value in values]


def _is_small_whole(exponent: Any) -> bool:
    constant = isinstance(exponent, float | int)
    return constant and float(exponent).is_integer() and abs(exponent) <= LARGEST_UNROLLED_POWER


def _piecewise(values: Sequence[Any]) -> Any:
    pairs = [(values[at], values[at + 1]) for at in range(0, len(values) - 1, 2)]
    result = values[-1] if len(values) % 2 else math.nan
    for value, condition in reversed(pairs):
        result = jnp.where(condition, value, result)
    return result
