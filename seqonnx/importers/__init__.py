"""Importers: files of other programs, read with distrust."""
