"""One step of the bound and its gradient through the encoder, beside a PyTorch twin, on one CPU.

The twin has the same features, attention over haplotypes with pair bias, attention over sites with
distance bias, widths and heads, with the same weights; its potentials agree to single precision.
It computes all pairs of haplotypes and masks the band, as one would write it down; the chain copies
earlier haplotypes only, so ours computes half of the pairs (`all_pairs` takes them all), and the
band in chunks.
The bound after them is only in JAX: `encoder` compares like with like, the gradient of the sum of
squares of all potentials; `bound` is the whole step that training takes. CPU seconds, best of
several after one warm-up, in turn, in one process on one core.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/speed/encoder_step.py \
        --output benchmarks/results/encoder_step.json
"""

import argparse
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.record import write_result
from escapement_jax.config.encoder import EncoderConfig
from escapement_jax.genealogy.copying.copying_model import copying_model
from escapement_jax.genealogy.copying.copying_tables import PairCounts
from escapement_jax.genealogy.encoder.heads import PotentialNetwork
from escapement_jax.genealogy.encoder.pair_features import pair_features
from escapement_jax.genealogy.encoder.site_columns import SiteColumns
from escapement_jax.genealogy.genome.population_size import PiecewiseConstant
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.genealogy.variational.look_ahead import emission_potentials
from escapement_jax.genealogy.variational.twisted_chain import twisted_bound

LEVELS = 16


def best_in_turn(functions, repeats):
    """CPU seconds of each: best of several, one after the other, that all meet the same noise."""
    seconds = {name: [] for name in functions}
    for _ in range(repeats + 1):
        for name, function in functions.items():
            start = time.process_time()
            function()
            seconds[name].append(time.process_time() - start)
    return {name: min(taken[1:]) for name, taken in seconds.items()}


class Twin:
    """The network's forward pass in PyTorch, on the same weights."""

    def __init__(self, network, columns, features, times):
        import torch

        self.torch = torch
        self.weights = {}
        leaves, _ = jax.tree_util.tree_flatten_with_path(network)
        for path, leaf in leaves:
            name = "".join(str(part) for part in path)
            self.weights[name] = torch.tensor(np.array(leaf), requires_grad=True)
        self.config = network.encoder.layers[0]
        self.num_layers = len(network.encoder.layers)
        self.site_features = torch.tensor(np.array(columns.site_features()))
        self.at_sites = torch.tensor(np.array(features.at_sites))
        self.beyond = torch.tensor(np.array(features.beyond))
        self.next_site = torch.tensor(np.array(features.next_site)).long()
        positions = torch.tensor(np.array(columns.positions)) / 1_000.0
        self.distance = positions[None, :] - positions[:, None]
        index = torch.arange(len(positions))
        self.far = (index[:, None] - index[None, :]).abs() > self.config.sites.window
        unit = np.log(np.array(times))
        unit = torch.tensor((unit - unit.mean()) / unit.std())
        self.powers = torch.stack([torch.ones_like(unit), unit, unit**2])

    def dense(self, hidden, name):
        return hidden @ self.weights[name + ".weight"] + self.weights[name + ".shift"]

    def norm(self, hidden, name):
        scale, shift = self.weights[name + ".scale"], self.weights[name + ".shift"]
        return self.torch.nn.functional.layer_norm(hidden, hidden.shape[-1:], scale, shift)

    def split(self, projected):
        heads = self.config.haplotypes.num_heads
        parts = projected.reshape(*projected.shape[:-1], 3, heads, -1)
        return parts.unbind(-3)

    def gelu(self, hidden):
        return self.torch.nn.functional.gelu(hidden, approximate="tanh")

    def layer(self, hidden, name):
        torch = self.torch
        normal = self.norm(hidden, name + ".norms[0]")
        query, key, value = self.split(self.dense(normal, name + ".haplotypes.inputs"))
        scores = torch.einsum("ilhc,jlhc->lhij", query, key) * query.shape[-1] ** -0.5
        bias = self.dense(self.at_sites, name + ".haplotypes.pairs").movedim(-1, 1)
        mixed = torch.einsum("lhij,jlhc->ilhc", (scores + bias).softmax(-1), value)
        hidden = hidden + self.dense(mixed.reshape(hidden.shape), name + ".haplotypes.outputs")
        normal = self.norm(hidden, name + ".norms[1]")
        query, key, value = self.split(self.dense(normal, name + ".sites.inputs"))
        rates = self.weights[name + ".sites.log_rates"].exp()
        right = (self.distance > 0)[None]
        rate = torch.where(right, rates[0][:, None, None], rates[1][:, None, None])
        bias = -rate * self.distance.abs()[None]
        scores = torch.einsum("nlhc,nmhc->nhlm", query, key) * query.shape[-1] ** -0.5 + bias
        scores = scores.masked_fill(self.far, -torch.inf)
        mixed = torch.einsum("nhlm,nmhc->nlhc", scores.softmax(-1), value)
        hidden = hidden + self.dense(mixed.reshape(hidden.shape), name + ".sites.outputs")
        widened = self.dense(self.norm(hidden, name + ".norms[2]"), name + ".widen")
        return hidden + self.dense(self.gelu(widened), name + ".narrow")

    def states(self):
        torch = self.torch
        hidden = self.dense(self.site_features, ".encoder.embed")
        for index in range(self.num_layers):
            hidden = self.layer(hidden, f".encoder.layers[{index}]")
        hidden = self.norm(hidden, ".encoder.norm")
        after = hidden[:, self.next_site].movedim(0, 1)
        mixed = self.dense(after, ".heads.copier")[:, :, None]
        mixed = mixed + self.dense(after, ".heads.parent")[:, None]
        mixed = self.gelu(mixed + self.dense(self.beyond, ".heads.pair"))
        outputs = self.dense(self.gelu(self.dense(mixed, ".heads.middle")), ".heads.states")
        return torch.matmul(outputs[..., :3], self.powers) + outputs[..., 3:]

    def step(self):
        for weight in self.weights.values():
            weight.grad = None
        (self.states() ** 2).sum().backward()


def example(count, sites):
    """Random genomes, a network whose last layer is not zero, and a model."""
    generator = np.random.default_rng(0)
    haplotypes = (generator.random((sites, count)) < 0.15).astype(np.int8)
    positions = np.arange(sites) * 400.0 + 100.0
    columns = SiteColumns.from_haplotypes(haplotypes, positions)
    config = EncoderConfig()
    places = jnp.asarray(positions + 200.0)
    features = jax.jit(lambda c: pair_features(c, places, config.length_scales))(columns)
    network = PotentialNetwork(config, LEVELS, key=jax.random.key(0))
    outer = 0.1 * jax.random.normal(jax.random.key(1), network.heads.states.weight.shape)
    network = eqx.tree_at(lambda network: network.heads.states.weight, network, outer)
    model = copying_model(
        count,
        PiecewiseConstant.constant(1e4),
        TimeGrid.for_population_size(LEVELS, 1e4),
        mutation_rate=jnp.full(sites, 1.25e-8),
        recombination_distance=jnp.full(sites, 4e-6),
    )
    counts = PairCounts.from_haplotypes(haplotypes, np.arange(sites), np.full(sites, 399.0))
    return network, (columns, features, model.times), (model, counts)


def steps(network, seen, data):
    """One step of everything that is compared, by name, and how far the twins are apart."""

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def encoder_only(network, all_pairs):
        return jnp.sum(network(*seen, all_pairs=all_pairs).states ** 2)

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def whole_bound(network):
        potentials = network(*seen) + emission_potentials(*data)
        return jnp.sum(twisted_bound(*data, potentials).elbo)

    twin = Twin(network, *seen)
    ours = np.asarray(eqx.filter_jit(network)(*seen, all_pairs=True).states)
    difference = float(np.abs(ours - twin.states().detach().numpy()).max())
    return difference, {
        "encoder_jax": lambda: jax.block_until_ready(encoder_only(network, False)),
        "encoder_jax_all_pairs": lambda: jax.block_until_ready(encoder_only(network, True)),
        "encoder_torch": twin.step,
        "bound_jax": lambda: jax.block_until_ready(whole_bound(network)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--haplotypes", type=int, default=50)
    parser.add_argument("--sites", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    difference, functions = steps(*example(arguments.haplotypes, arguments.sites))
    seconds = best_in_turn(functions, arguments.repeats)
    result = {
        "haplotypes": arguments.haplotypes,
        "sites": arguments.sites,
        "largest_difference": difference,
        "cpu_seconds": seconds,
        "encoder_torch_over_jax": seconds["encoder_torch"] / seconds["encoder_jax"],
    }
    write_result(arguments.output, result)


if __name__ == "__main__":
    main()
