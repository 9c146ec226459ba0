"""Benchmarks: what the app costs, measured beside a baseline. `python -m bench --help` explains each."""
