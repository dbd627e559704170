"""Settings of `escapement decompose`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from escapement_jax.config.base import Configuration
from escapement_jax.config.checks import at_least, fraction, positive

ANCHORS = ("additive", "blup", "pair-scan", "pairwise", "lasso", "spike-slab", "triple-scan")
"""Names of the classical methods that can be reported beside the decomposition."""


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network is trained; every value is resolved."""

    width: int
    loss: Literal["l1", "l2"]
    learning_rate: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int
    min_delta: float


@dataclass(frozen=True)
class DecomposeConfig(Configuration):
    """How phenotypes are decomposed into additive and epistatic effects.

    Raises:
        ValueError: a value is out of range; the message names the option.
    """

    table_name: ClassVar[str] = "decompose"

    method: Literal["debiased", "source"] = "debiased"
    """Effects by K-fold cross-fitting with standard errors and shrinkage, or as published: one
    network, mean sensitivities and four-genotype contrasts, without uncertainty."""
    learner: Literal["regression", "network", "regression+network"] = "regression+network"
    """What predicts phenotypes inside the cross-fit: a spike-and-slab regression on all pairs, a
    network, or a network on the residual of the regression."""
    network: Literal["mlp", "gated", "attention", "global-epistasis"] = "mlp"
    """Leaky-ReLU perceptron, gated units with RMSNorm, softmax attention over loci, or a monotone
    link on an additive score."""
    width: int | None = None
    """Units of a hidden layer; default: 1024 for "source", else 256."""
    constant_channel: bool | None = None
    """Give the network biases through an input that is always 1; default: not for "source"."""
    loss: Literal["l1", "l2"] | None = None
    """Training loss; default: l1 for "source", else l2."""
    learning_rate: float = 1e-3
    """Learning rate of AdamW at the start; halved on every plateau of the validation loss."""
    weight_decay: float = 1.0
    """Decoupled weight decay of AdamW."""
    batch_size: int = 128
    """Individuals per gradient step."""
    max_epochs: int = 100
    """Passes over the training individuals, at most."""
    patience: int = 10
    """Epochs without improvement of the validation loss after which training stops."""
    min_delta: float | None = None
    """Smallest fall of the validation loss that counts; default: .003 for "source", else 1e-4."""
    test_fraction: float = 0.15
    """Share of the individuals kept aside to report the accuracy of prediction."""
    split: Literal["random", "last"] = "random"
    """Which individuals those are: drawn at random, or the last ones of the file."""
    validation_fraction: float = 0.1
    """Share of the training individuals that steers the schedule and the stopping."""
    stop_on: Literal["validation", "test"] = "validation"
    """What steers the schedule and the stopping. "test" repeats a fault of the published recipe:
    the accuracy reported is then optimistic."""
    folds: int = 5
    """Number of folds of the cross-fit."""
    replicates: int = 1
    """Repetitions on the same data, with new starts and, if debiased, new folds; averaged."""
    anchors: tuple[str, ...] = ("additive", "pair-scan", "spike-slab")
    """Classical methods to report beside the result: additive, blup, pair-scan, pairwise, lasso,
    spike-slab, triple-scan."""
    max_joint_pairs: int = 4096
    """Largest number of pairs that the regression takes jointly; of more, those with the largest
    marginal statistics in the training folds."""
    max_reported_pairs: int = 200_000
    """Largest number of pairs in the result; of more, those with the smallest p values. All of
    them count as tests."""
    phenotypes: Path | None = None
    """Table of phenotypes, a line per individual with its name first, for inputs that hold
    genotypes only."""
    drop_unusable_loci: bool = False
    """Leave out loci that do not vary or that repeat another, rather than refuse them."""
    prune_r2: float | None = None
    """Leave out loci that an earlier one nearby tags with a squared correlation above this; also
    leaves out unusable loci."""
    heritability: float | None = None
    """Add environmental noise until traits have this broad-sense heritability, taking what they
    vary now to be genetic."""
    fresh_noise: bool = False
    """Give every replicate environmental noise of its own, as published: the mean over replicates
    then speaks of as many data sets, not of one. Needs a heritability and method "source"."""
    seed: int = 1
    """Seed of the random numbers; the same seed gives the same result."""

    def __post_init__(self) -> None:
        positive(self, "learning_rate")
        at_least(self, 0.0, "weight_decay", "min_delta", "seed")
        at_least(self, 1, "width", "batch_size", "max_epochs", "patience", "replicates")
        at_least(self, 1, "max_joint_pairs", "max_reported_pairs")
        at_least(self, 2, "folds")
        fraction(self, 1.0, "test_fraction", "validation_fraction")
        if self.test_fraction == 0 and self.stop_on == "test":
            raise ValueError(
                "stop_on is 'test', but test_fraction is 0; set aside test individuals"
            )
        if self.validation_fraction == 0 and self.stop_on == "validation":
            raise ValueError("validation_fraction is 0; training needs it to know when to stop")
        positive(self, "heritability", "prune_r2")
        for name in ("heritability", "prune_r2"):
            if (getattr(self, name) or 0) > 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at most 1")
        if self.fresh_noise and (self.heritability is None or self.method != "source"):
            raise ValueError("fresh_noise needs a heritability and method 'source'")
        for name in self.anchors:
            if name not in ANCHORS:
                raise ValueError(f"anchors has {name!r}; choose among {', '.join(ANCHORS)}")

    @property
    def recipe(self) -> TrainingRecipe:
        """The training recipe, with the defaults of the method filled in."""
        source = self.method == "source"
        return TrainingRecipe(
            width=self.width or (1024 if source else 256),
            loss=self.loss or ("l1" if source else "l2"),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
            min_delta=(3e-3 if source else 1e-4) if self.min_delta is None else self.min_delta,
        )

    @property
    def has_constant_channel(self) -> bool:
        """Whether the network has biases."""
        if self.constant_channel is None:
            return self.method != "source"
        return self.constant_channel

    def check_complete(self) -> None:
        """Check nothing more: every setting has a default."""
