"""A learned variational posterior of the copying model, and how it is trained."""
