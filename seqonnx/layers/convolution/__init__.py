"""Convolutions: dense, depthwise and separable."""
