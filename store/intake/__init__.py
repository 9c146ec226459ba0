"""Accepted job changes, keys of senders, imports and field mappings in the database."""
