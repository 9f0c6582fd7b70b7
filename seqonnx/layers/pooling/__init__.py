"""Pooling over windows and over all of space."""
