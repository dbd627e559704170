"""Multiple shooting: fits to noisy data through the solution of the dynamics."""
