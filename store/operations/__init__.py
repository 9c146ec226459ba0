"""Rows for operators: audit, notices, housekeeping, erasure, secrets."""
