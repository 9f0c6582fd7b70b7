"""Layers of sound."""
