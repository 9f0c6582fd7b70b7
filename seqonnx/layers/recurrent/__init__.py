"""Recurrent layers, and the cells that they repeat."""
