"""Homeostasis and metabolite types from metabolic time courses."""

from escapement_jax.homeostasis.network import Network as Network
from escapement_jax.homeostasis.recover import recover as recover
from escapement_jax.homeostasis.recovery import Recovery as Recovery
from escapement_jax.homeostasis.time_courses import TimeCourses as TimeCourses
