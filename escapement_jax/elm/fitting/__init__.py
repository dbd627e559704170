"""Training of networks: one jitted run, and many of them."""

from escapement_jax.elm.fitting.replicates import train_replicates as train_replicates
from escapement_jax.elm.fitting.train import TrainingRun as TrainingRun
from escapement_jax.elm.fitting.train import train as train
