"""Senders whose rows have other field names, and how those are mapped."""
