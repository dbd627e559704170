"""Metabolites that are not measured because they hardly change, such as water."""

from collections.abc import Collection

import numpy as np

from escapement_jax.homeostasis.network import Network


def hold_others_constant(network: Network, measured: Collection[str]) -> Network:
    """Keep the measured metabolites; the constant others are absorbed by the rate constants.

    Reactions that change no measured metabolite are left out. Matter flows between
    the metabolites kept and those held, so balance of mass is not asked for.

    Args:
        network: The reactions.
        measured: Names of the metabolites to keep.

    Raises:
        ValueError: No reaction is left.
    """
    kept = [name in measured for name in network.metabolite_names]
    stoichiometry = np.asarray(network.stoichiometry)[kept]
    orders = np.asarray(network.substrate_orders)[kept]
    acting = (stoichiometry != 0).any(axis=0)
    if not acting.any():
        raise ValueError("no reaction of the network changes a metabolite that is measured")
    return Network.create(
        stoichiometry[:, acting],
        orders[:, acting],
        metabolite_names=_chosen(network.metabolite_names, kept),
        reaction_names=_chosen(network.reaction_names, acting.tolist()),
        mass_balance=False,
    )


def _chosen(names: Collection[str], chosen: list[bool]) -> list[str]:
    return [name for name, keep in zip(names, chosen, strict=True) if keep]
