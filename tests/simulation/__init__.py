"""Deterministic simulation: the engine in one process, on a virtual clock, with every fault drawn from one seed."""
