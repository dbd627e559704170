"""Settings of every verb: frozen dataclasses read from and written to TOML."""
