"""A transcriptional circuit as a network of reactions, for tools that know only those."""

import numpy as np
from jaxtyping import Array, Float

from escapement_jax.curiosity.systems.circuit import TranscriptionalCircuit
from escapement_jax.numerics.expressions import Call, Expression, Number, Symbol
from escapement_jax.numerics.reaction_network import ReactionNetwork

CELL = "cell"


def circuit_network(
    system: TranscriptionalCircuit,
    parameters: Float[Array, " parameters"],
    *,
    name: str = "circuit",
) -> ReactionNetwork:
    """Write one circuit as production and decay of every node.

    Node i is made at the rate ``1 / (1 + exp(-(sum_j W_ij y_j + B_i)))`` and decays at the rate
    ``k_i y_i``, both in a cell of volume one. Edges of weight zero are left out.
    """
    start, constants = system.unpack(parameters)
    weights, biases, decay = (
        np.asarray(part, dtype=float)
        for part in (constants.weights, constants.biases, constants.decay)
    )
    nodes = system.state_names
    named = {CELL: 1.0}
    named |= {_weight(system, i, j): weights[i, j] for i, j in np.argwhere(weights).tolist()}
    named |= {f"B{i}": biases[i] for i in range(len(nodes))}
    named |= {f"k{i}": decay[i] for i in range(len(nodes))}
    identity, nothing = np.eye(len(nodes)), np.zeros((len(nodes), len(nodes)))
    return ReactionNetwork(
        name=name,
        states=nodes,
        labels=nodes,
        initial_values=tuple(Number(value) for value in np.asarray(start, dtype=float).tolist()),
        sizes=(Symbol(CELL),) * len(nodes),
        constants=tuple(named),
        constant_values=tuple(Number(float(value)) for value in named.values()),
        reactions=tuple(f"{kind}_{node}" for kind in ("make", "decay") for node in nodes),
        rate_laws=(
            *(_production(system, i, weights) for i in range(len(nodes))),
            *(_times(Symbol(CELL), Symbol(f"k{i}"), Symbol(nodes[i])) for i in range(len(nodes))),
        ),
        reactants=np.concatenate([nothing, identity], axis=1),
        products=np.concatenate([identity, nothing], axis=1),
    )


def _production(
    system: TranscriptionalCircuit, node: int, weights: Float[np.ndarray, "nodes nodes"]
) -> Expression:
    inputs = [
        _times(Symbol(_weight(system, node, j)), Symbol(system.state_names[j]))
        for j in np.flatnonzero(weights[node]).tolist()
    ]
    total = Call("plus", (*inputs, Symbol(f"B{node}")))
    below = Call("plus", (Number(1.0), Call("exp", (Call("minus", (total,)),))))
    return Call("divide", (Symbol(CELL), below))


def _times(*factors: Expression) -> Expression:
    return Call("times", factors)


def _weight(system: TranscriptionalCircuit, i: int, j: int) -> str:
    n = system.num_states
    return system.parameter_names[n + n * i + j]
