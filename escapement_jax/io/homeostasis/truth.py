"""The truth of a simulation as JSON: it serves to score, never to fit."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from escapement_jax.homeostasis.model import MetabolicModel
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.rate_laws import MassAction, PowerLaw, Saturating
from escapement_jax.homeostasis.simulation.truth import Truth
from escapement_jax.io.json_files import read_json
from escapement_jax.io.reader import reader

LAWS = {law.__name__: law for law in (MassAction, PowerLaw, Saturating)}


def write_truth(path: Path, truth: Truth) -> None:
    """Write types, slopes, set points, rate constants and the law.

    Args:
        path: JSON file to write.
        truth: What is true.
    """
    network = truth.model.network
    numbers = zip(truth.type_slopes.tolist(), truth.type_baselines.tolist(), strict=True)
    document = {
        "types": [
            {"type": kind, "slope": slope, "baseline": baseline}
            for kind, (slope, baseline) in enumerate(numbers)
        ],
        "metabolite_types": dict(
            zip(network.metabolite_names, np.asarray(truth.types).tolist(), strict=True)
        ),
        "log10_rates": dict(
            zip(network.reaction_names, np.asarray(truth.log10_rates).tolist(), strict=True)
        ),
        "law": type(truth.model.law).__name__,
        "law_parameters": np.asarray(truth.model.law.parameters).tolist(),
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


@reader
def read_truth(path: Path, network: Network) -> Truth:
    """Read the truth about a network.

    Args:
        path: JSON file, as `escapement simulate homeostasis` writes it.
        network: The reactions it is about.

    Raises:
        FileNotFoundError: The file is absent.
        ValueError: The file is no such truth, or one about another network.
    """
    document = read_json(path)
    try:
        types = [document["metabolite_types"][name] for name in network.metabolite_names]
        rates = [document["log10_rates"][name] for name in network.reaction_names]
        slopes = np.array([float(one["slope"]) for one in document["types"]])
        baselines = np.array([float(one["baseline"]) for one in document["types"]])
        law = LAWS[document["law"]](*map(jnp.asarray, document["law_parameters"]))
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: not the truth about this network: {error!r}") from None
    kinds = np.array(types, dtype=int)
    model = MetabolicModel(
        network=network,
        law=law,
        rates=jnp.asarray(10.0 ** np.array(rates, dtype=float)),
        slopes=jnp.asarray(slopes[kinds]),
        offsets=jnp.asarray(-(slopes * baselines)[kinds]),
    )
    return Truth(model, jnp.asarray(kinds), jnp.asarray(slopes), jnp.asarray(baselines))
