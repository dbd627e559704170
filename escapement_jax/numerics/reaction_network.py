"""A network of reactions as data, and its differential equations as pure functions.

Every state `x` obeys `dx/dt = (N v)(t, x, c) / size + r(t, x, c)`: reactions with rates `v` change
amounts by the stoichiometry `N`, the size of the compartment turns amounts into concentrations
(it is one for amounts), and rate rules `r` state a derivative outright.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.numerics.expressions import (
    TIME,
    Call,
    Definition,
    Expression,
    Number,
    Program,
    Symbol,
    compile_expressions,
    symbols,
)

State: TypeAlias = Float[Array, " states"]
Constants: TypeAlias = Float[Array, " constants"]
Time: TypeAlias = Float[Array, ""]
Quantities = Callable[[Time, State, Constants], Float[Array, " quantities"]]
"""A function of time, state and constants with a vector of values."""

FACTOR_PREFIX = "factor of "
"""No identifier of a model has spaces, so these names are new."""


@dataclass(frozen=True, eq=False)
class ReactionNetwork:
    """What changes, how fast, and on what that depends; numbers are in the model's own units.

    Attributes:
        name: name of the model.
        states: identifiers of what changes by reactions or rate rules: species (concentrations,
            or amounts where the model says so), parameters, compartments.
        labels: names of the states for people.
        initial_values: value of every state at time zero, from constants.
        sizes: what divides the changes by reactions: a compartment's symbol, or one.
        constants: names of what stays: parameters, compartment sizes, species held fixed.
        constant_values: value of every constant; may use all else at time zero.
        reactions: names of the reactions.
        rate_laws: rate of every reaction, in amount per time.
        reactants: how much of every state each reaction uses up, [states, reactions].
        products: how much of every state each reaction makes, [states, reactions].
        assignments: quantities defined at all times by the others.
        rate_rules: time derivatives of states that no reaction changes.
    """

    name: str
    states: tuple[str, ...]
    labels: tuple[str, ...]
    initial_values: tuple[Expression, ...]
    sizes: tuple[Expression, ...]
    constants: tuple[str, ...]
    constant_values: tuple[Expression, ...]
    reactions: tuple[str, ...]
    rate_laws: tuple[Expression, ...]
    reactants: Float[np.ndarray, "states reactions"]
    products: Float[np.ndarray, "states reactions"]
    assignments: tuple[Definition, ...] = ()
    rate_rules: tuple[Definition, ...] = ()

    @property
    def stoichiometry(self) -> Float[np.ndarray, "states reactions"]:
        """Net change of every state by one event of each reaction."""
        return self.products - self.reactants

    def default_constants(self) -> Constants:
        """Return the values of all constants as the model states them."""
        program = compile_expressions(
            [Symbol(name) for name in self.constants],
            (TIME.name,),
            (*self._at_start, *zip(self.constants, self.constant_values, strict=True)),
        )
        return jax.jit(program)(jnp.zeros(1))

    def initial_state(self, constants: Constants) -> State:
        """Return the state at time zero for given constants.

        Initial values may depend on constants, on assigned quantities and on each other.
        """
        program = compile_expressions(
            [Symbol(name) for name in self.states], (TIME.name, *self.constants), self._at_start
        )
        return jax.jit(program)(jnp.concatenate([jnp.zeros(1, constants.dtype), constants]))

    def with_rate_factors(self) -> "ReactionNetwork":
        """Return the same network with one more constant per reaction that multiplies its rate.

        The new constants come last, in the order of the reactions, and are one by default.
        """
        names = tuple(f"{FACTOR_PREFIX}{name}" for name in self.reactions)
        laws = tuple(
            Call("times", (Symbol(factor), law))
            for factor, law in zip(names, self.rate_laws, strict=True)
        )
        return dataclasses.replace(
            self,
            constants=(*self.constants, *names),
            constant_values=(*self.constant_values, *[Number(1.0)] * len(names)),
            rate_laws=laws,
        )

    def rates(self) -> Quantities:
        """Return the function that computes the rates of all reactions."""
        return self._function(self.rate_laws)

    def assigned(self) -> Quantities:
        """Return the function that computes all assigned quantities, in their order."""
        return self._function(tuple(Symbol(name) for name, _ in self.assignments))

    def derivative(self) -> Quantities:
        """Return the right-hand side of the differential equations, `dx/dt`."""
        changes = tuple(map(self._derivative_of, range(len(self.states))))
        return self._function(changes)

    @property
    def _at_start(self) -> tuple[Definition, ...]:
        """What defines everything but the constants at time zero."""
        values = zip(self.states, self.initial_values, strict=True)
        return (*values, *self.assignments, *self._laws)

    @property
    def _laws(self) -> tuple[Definition, ...]:
        return tuple(zip(self.reactions, self.rate_laws, strict=True))

    def _function(self, expressions: tuple[Expression, ...]) -> Quantities:
        program = compile_expressions(
            expressions,
            (TIME.name, *self.states, *self.constants),
            (*self.assignments, *self._laws),
        )
        return _of_time_state_constants(program)

    def _derivative_of(self, state: int) -> Expression:
        """Write the derivative of one state as an expression."""
        rules, name, size = dict(self.rate_rules), self.states[state], self.sizes[state]
        if name in rules:
            return rules[name]
        terms = tuple(
            _scaled(float(amount), Symbol(reaction))
            for amount, reaction in zip(self.stoichiometry[state], self.reactions, strict=True)
            if amount != 0
        )
        change = terms[0] if len(terms) == 1 else Call("plus", terms)
        if size != Number(1.0):
            change = Call("divide", (change, size))
        growth = [rules[grown] for grown in symbols(size) if grown in rules]
        if not growth:
            return change
        # The amount is x * size, so a growing compartment dilutes: dx/dt = (N v - x dsize/dt)/size.
        dilution = Call("divide", (Call("times", (Symbol(name), growth[0])), size))
        return Call("minus", (change, dilution))


def _scaled(amount: float, term: Expression) -> Expression:
    return term if amount == 1 else Call("times", (Number(amount), term))


def _of_time_state_constants(program: Program) -> Quantities:
    def quantities(time: Time, state: State, constants: Constants) -> Float[Array, " quantities"]:
        arguments = [jnp.asarray(time, state.dtype)[None], state, constants.astype(state.dtype)]
        return program(jnp.concatenate(arguments))

    return quantities
