"""Strategies that choose the next parameters to try, and the loop that runs them."""

from escapement_jax.curiosity.search.base import AbstractStrategy as AbstractStrategy
from escapement_jax.curiosity.search.base import Proposal as Proposal
from escapement_jax.curiosity.search.library import Library as Library
from escapement_jax.curiosity.search.search import Search as Search
from escapement_jax.curiosity.search.search import SearchState as SearchState
