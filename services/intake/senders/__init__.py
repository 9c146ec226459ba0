"""Senders of job changes: one module for each product, and the registry that finds them."""
