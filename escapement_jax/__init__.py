"""JAX-native inference of ancestral recombination graphs and population history."""


def __getattr__(name: str) -> str:
    """Look up the installed version when it is first asked for."""
    if name == "__version__":
        import importlib.metadata

        return importlib.metadata.version("escapement-jax")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
