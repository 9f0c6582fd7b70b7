"""Layers that hold another layer and call it in a way of their own."""
