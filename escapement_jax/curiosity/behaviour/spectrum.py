"""Spectra of signals with a window that keeps strong lines from leaking into weak ones."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def amplitude_spectrum(signal: Float[Array, "*batch times"]) -> Float[Array, "*batch bins"]:
    """Return the amplitude of the sinusoid at every frequency, after a Hann window.

    The mean is removed and the window's loss made good, so ``A cos(2 pi f t)`` gives a peak of
    height A at f whatever the length of the signal, if f is a whole bin.
    """
    number = signal.shape[-1]
    window = jnp.asarray(np.hanning(number + 1)[:-1], signal.dtype)
    shape = (1,) * (signal.ndim - 1) + window.shape
    centred = signal - signal.mean(-1, keepdims=True)
    return 2 * jnp.abs(jnp.fft.rfft(centred * window.reshape(shape), axis=-1)) / window.sum()


def frequencies(num_samples: int, step_size: float) -> Float[Array, " bins"]:
    """Return the frequency of every bin of `amplitude_spectrum`, in Hz."""
    return jnp.asarray(np.fft.rfftfreq(num_samples, step_size))
