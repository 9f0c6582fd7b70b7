"""Shared by tests: fixtures, case tables, networks, checks and programs, a folder for each room.

`pythonpath` in `pyproject.toml` lets pytest find it (`from support.autodiff.gradient_check import
Case`); a program of it runs with `PYTHONPATH=tests python -m support.reliability.kills`.
"""
