"""Ownership: rules as data, the candidates they name, the choice among them, and the reason for it."""
