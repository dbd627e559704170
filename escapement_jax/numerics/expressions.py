"""Mathematical expressions as data, and their evaluation by JAX.

An expression is a tree of numbers, symbols and calls. Trees are turned into a program in which
equal subtrees are computed once, and all equal operations that can be done at the same time are
one operation on vectors: a network of hundreds of reactions is a few dozen array operations, which
compile fast. The program is an ordinary JAX function.

Gradients are never NaN where values are finite. A branch of `piecewise` that is not taken may hold
infinite values, and zero times an infinite derivative would be NaN; so where a partial derivative
of an operator is not finite, zero is taken in its place.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

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
    """An operator of `OPERATORS` (or `true`, `false`) applied to arguments.

    `piecewise` takes value, condition, value, condition, ... and a last value for "otherwise".
    """

    operator: str
    arguments: tuple["Expression", ...]


Expression: TypeAlias = Number | Symbol | Call
Definition: TypeAlias = tuple[str, Expression]

TIME = Symbol("<time>")
"""Time itself; no identifier of a model can be spelled like this."""


def _finite_derivatives(operator: Callable[..., Array]) -> Callable[..., Array]:
    """Give an elementwise operator partial derivatives that are zero where they are not finite."""
    wrapped = jax.custom_jvp(operator)

    @wrapped.defjvp
    def _tangent(primals, tangents):
        terms = [
            _slope(operator, primals, place) * tangent for place, tangent in enumerate(tangents)
        ]
        return operator(*primals), functools.reduce(jnp.add, terms)

    return wrapped


def _slope(operator: Callable[..., Array], values: Sequence[Array], place: int) -> Array:
    def of_one(value: Array) -> Array:
        return operator(*values[:place], value, *values[place + 1 :])

    slope = jax.jvp(of_one, (values[place],), (jnp.ones_like(values[place]),))[1]
    return jnp.where(jnp.isfinite(slope), slope, 0)


def _folded(binary: Callable[..., Array]) -> Callable[..., Array]:
    return lambda *values: functools.reduce(binary, values)


def _relation(compare: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """Read `a < b < c` as `a < b and b < c`; true is 1 and false is 0."""

    def holds(*values: Array) -> Array:
        pairs = zip(values, values[1:], strict=False)
        return functools.reduce(jnp.logical_and, [compare(a, b) for a, b in pairs])

    return lambda *values: holds(*values).astype(values[0].dtype)


def _logic(connective: Callable[..., Array]) -> Callable[..., Array]:
    def holds(*values: Array) -> Array:
        return connective(*(value != 0 for value in values)).astype(values[0].dtype)

    return holds


def _piecewise(*values: Array) -> Array:
    """Take value, condition, value, condition, ..., otherwise."""
    pairs = [(values[at], values[at + 1]) for at in range(0, len(values) - 1, 2)]
    result = values[-1] if len(values) % 2 else jnp.full_like(values[0], jnp.nan)
    for value, condition in reversed(pairs):
        result = jnp.where(condition != 0, value, result)
    return result


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

OPERATORS: dict[str, Callable[..., Array]] = {
    **{name: _finite_derivatives(operator) for name, operator in _SMOOTH.items()},
    "plus": _folded(jnp.add),
    "times": _folded(_finite_derivatives(jnp.multiply)),
    "minus": lambda *values: -values[0] if len(values) == 1 else values[0] - values[1],
    "max": _folded(jnp.maximum),
    "min": _folded(jnp.minimum),
    "eq": _relation(jnp.equal),
    "neq": _relation(jnp.not_equal),
    "lt": _relation(jnp.less),
    "leq": _relation(jnp.less_equal),
    "gt": _relation(jnp.greater),
    "geq": _relation(jnp.greater_equal),
    "and": _logic(_folded(jnp.logical_and)),
    "or": _logic(_folded(jnp.logical_or)),
    "xor": _logic(_folded(jnp.logical_xor)),
    "not": _logic(jnp.logical_not),
    "implies": _logic(lambda a, b: ~a | b),
    "piecewise": _piecewise,
}
"""What every operator computes, element by element of its arguments; true is 1 and false is 0."""

_ALONE = {"plus": 0.0, "times": 1.0, "true": 1.0, "false": 0.0}
"""What operators are worth that have no argument."""


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


class _Step(NamedTuple):
    """An operation on results of other steps, or a number; equal steps are one."""

    operator: str
    places: tuple[int, ...]
    value: float = 0.0


class _Layer(NamedTuple):
    """Operations of one kind, done at once: row i of `places` holds their i-th arguments."""

    apply: Callable[..., Array]
    places: np.ndarray


@dataclass(frozen=True, eq=False)
class Program:
    """Expressions as layers of vector operations on the results of earlier layers.

    Attributes:
        arguments: names of the inputs, which take the first places in the list of results.
        numbers: constants, which take the next places.
        layers: operations in the order in which they are done.
        outputs: places of the results that are asked for.
    """

    arguments: tuple[str, ...]
    numbers: Float[np.ndarray, " numbers"]
    layers: tuple[_Layer, ...]
    outputs: Int[np.ndarray, " outputs"]

    @property
    def num_operations(self) -> int:
        """Number of scalar operations."""
        return sum(layer.places.shape[1] for layer in self.layers)

    def __call__(self, values: Float[Array, " arguments"]) -> Float[Array, " outputs"]:
        """Evaluate the expressions for one vector of arguments."""
        results = jnp.concatenate([values, jnp.asarray(self.numbers, values.dtype)])
        for layer in self.layers:
            new = layer.apply(*(results[places] for places in layer.places))
            results = jnp.concatenate([results, new])
        return results[self.outputs]


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
    steps: dict[_Step, int] = {}
    visited: dict[int, int] = {}

    def place_of(expression: Expression) -> int:
        if isinstance(expression, Symbol):
            if expression.name not in places:
                raise ValueError(f"the symbol {expression.name} has no meaning here")
            return places[expression.name]
        if id(expression) not in visited:
            step = _step_of(expression, place_of)
            visited[id(expression)] = steps.setdefault(step, len(arguments) + len(steps))
        return visited[id(expression)]

    for name, meaning in in_order(definitions):
        places[name] = place_of(meaning)
    outputs = [place_of(expression) for expression in expressions]
    return _in_layers(tuple(arguments), list(steps), outputs)


def _step_of(expression: Number | Call, place_of: Callable[[Expression], int]) -> _Step:
    if isinstance(expression, Number):
        return _Step("", (), float(expression.value))
    operator, arguments = expression.operator, expression.arguments
    if not arguments and operator in _ALONE:
        return _Step("", (), _ALONE[operator])
    if operator not in OPERATORS:
        raise ValueError(f"the operator {operator} is not known")
    if operator == "power" and _is_small_whole(arguments[1]):
        return _Step("integer power", (place_of(arguments[0]),), arguments[1].value)
    return _Step(operator, tuple(map(place_of, arguments)))


def _is_small_whole(exponent: Expression) -> TypeGuard[Number]:
    if not isinstance(exponent, Number) or not float(exponent.value).is_integer():
        return False
    return abs(exponent.value) <= LARGEST_UNROLLED_POWER


def _in_layers(arguments: tuple[str, ...], steps: list[_Step], outputs: list[int]) -> Program:
    """Do each step as early as it can be done, together with all steps of its kind."""
    depth = [0] * len(arguments)
    kinds: dict[tuple[int, str, int, float], list[int]] = {}
    for place, step in enumerate(steps, start=len(arguments)):
        depth.append(1 + max(depth[at] for at in step.places) if step.places else 0)
        if step.places:
            kind = (depth[place], step.operator, len(step.places), step.value)
            kinds.setdefault(kind, []).append(place)
    numbers = [place for place in range(len(arguments), len(depth)) if depth[place] == 0]
    # Sorted by depth first, so every layer finds its arguments done.
    members = [kinds[kind] for kind in sorted(kinds)]
    order = [*range(len(arguments)), *numbers, *(place for group in members for place in group)]
    moved = {old: new for new, old in enumerate(order)}
    layers = [
        _Layer(
            _operation(steps[group[0] - len(arguments)]),
            np.array([[moved[at] for at in steps[one - len(arguments)].places] for one in group]).T,
        )
        for group in members
    ]
    values = np.array([steps[place - len(arguments)].value for place in numbers], dtype=float)
    return Program(
        arguments, values, tuple(layers), np.array([moved[at] for at in outputs], dtype=int)
    )


def _operation(step: _Step) -> Callable[..., Array]:
    if step.operator == "integer power":
        return _finite_derivatives(functools.partial(jax.lax.integer_pow, y=int(step.value)))
    return OPERATORS[step.operator]
