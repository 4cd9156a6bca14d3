"""Circuits: what a channel reads and who reads it, which branch holds which family of channels, concepts of a photo."""
