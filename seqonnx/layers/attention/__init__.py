"""Layers that attend: means of values, weighted by how well keys fit a query."""
