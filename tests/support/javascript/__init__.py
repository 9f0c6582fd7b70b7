"""Trainings in files, run in JavaScript."""
