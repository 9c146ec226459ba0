"""Rows of what came in: job changes, keys, imports and field mappings."""
