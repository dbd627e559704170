"""A metabolic network: which metabolites each reaction turns into which."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from escapement_jax.homeostasis.mass_balance import check_mass_balance


class Network(eqx.Module):
    """Stoichiometry ``S`` and substrate orders ``E`` of a set of reactions.

    Reaction ``j`` runs at ``v_j = k_j prod_i f(c_i)^E_ij`` and changes metabolite ``i`` by
    ``S_ij v_j`` per unit of time.

    Attributes:
        stoichiometry: Net change of each metabolite by one turn of each reaction.
        substrate_orders: Kinetic order of each reaction in each metabolite, never negative; a
            metabolite of order above 0 and stoichiometry 0 acts as a catalyst.
        metabolite_names: Unique names.
        reaction_names: Unique names.
    """

    stoichiometry: Float[Array, "metabolites reactions"]
    substrate_orders: Float[Array, "metabolites reactions"]
    metabolite_names: tuple[str, ...] = eqx.field(static=True)
    reaction_names: tuple[str, ...] = eqx.field(static=True)

    @classmethod
    def create(
        cls,
        stoichiometry: ArrayLike,
        substrate_orders: ArrayLike | None = None,
        *,
        metabolite_names: Sequence[str] | None = None,
        reaction_names: Sequence[str] | None = None,
        molar_masses: ArrayLike | None = None,
        mass_balance: bool = True,
    ) -> "Network":
        """Check the tables of a network and return it.

        Args:
            stoichiometry: Metabolites x reactions.
            substrate_orders: Metabolites x reactions; by default the number of molecules consumed.
            metabolite_names: One for each row; by default m0, m1, ...
            reaction_names: One for each column; by default r0, r1, ...
            molar_masses: Mass of each metabolite, in any unit; by default unknown.
            mass_balance: Whether reactions that cannot conserve mass are refused; see
                ``check_mass_balance``.

        Raises:
            ValueError: A table has the wrong shape or an impossible entry, names repeat, or a
                reaction is unbalanced; the message names the offender.
        """
        stoichiometry = _table(stoichiometry, "stoichiometry")
        if substrate_orders is None:
            substrate_orders = np.maximum(-stoichiometry, 0.0)
        orders = _table(substrate_orders, "substrate orders")
        if orders.shape != stoichiometry.shape:
            raise ValueError(
                f"substrate orders are {orders.shape[0]} x {orders.shape[1]}, but the stoichiometry"
                f" is {stoichiometry.shape[0]} x {stoichiometry.shape[1]}; both tables are"
                " metabolites x reactions"
            )
        metabolites = _names(metabolite_names, stoichiometry.shape[0], "metabolite", "m")
        reactions = _names(reaction_names, stoichiometry.shape[1], "reaction", "r")
        if (orders < 0).any():
            metabolite, reaction = np.argwhere(orders < 0)[0]
            raise ValueError(
                f"reaction {reactions[reaction]} has the negative order "
                f"{orders[metabolite, reaction]:g} in {metabolites[metabolite]}; orders are 0 or "
                "more"
            )
        if mass_balance:
            check_mass_balance(stoichiometry, metabolites, reactions, molar_masses)
        return cls(jnp.asarray(stoichiometry), jnp.asarray(orders), metabolites, reactions)

    @property
    def num_metabolites(self) -> int:
        """Number of metabolites."""
        return self.stoichiometry.shape[0]

    @property
    def num_reactions(self) -> int:
        """Number of reactions."""
        return self.stoichiometry.shape[1]

    def metabolite_index(self, name: str) -> int:
        """Return the row of a metabolite.

        Raises:
            ValueError: There is no metabolite of that name.
        """
        return _index(self.metabolite_names, name, "metabolite")

    def reaction_index(self, name: str) -> int:
        """Return the column of a reaction.

        Raises:
            ValueError: There is no reaction of that name.
        """
        return _index(self.reaction_names, name, "reaction")


def _table(values: ArrayLike, name: str) -> np.ndarray:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"{name} has shape {table.shape}; give a table of metabolites x reactions")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(
            f"{name} has {table[row, column]} in row {row}, column {column}; every entry must be a"
            " finite number"
        )
    return table


def _names(names: Sequence[str] | None, count: int, kind: str, letter: str) -> tuple[str, ...]:
    if names is None:
        return tuple(f"{letter}{i}" for i in range(count))
    names = tuple(str(name) for name in names)
    if len(names) != count:
        raise ValueError(f"there are {len(names)} {kind} names for {count} {kind}s")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {kind} name {name!r} occurs twice; give each {kind} its own")
        seen.add(name)
    return names


def _index(names: tuple[str, ...], name: str, kind: str) -> int:
    if name not in names:
        known = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise ValueError(f"unknown {kind} {name!r}; the network has {known}")
    return names.index(name)
