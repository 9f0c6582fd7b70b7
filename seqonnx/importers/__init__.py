"""Importers: what others wrote, read with distrust."""
