"""Receiving job changes: keys, rate limits, validation and storage."""
