"""The published recipe, two phases of gradient training, kept to compare with."""
