"""Whose job is this: ownership rules as data, the candidates they name, the choice among them, and why."""
