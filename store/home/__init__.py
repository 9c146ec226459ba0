"""Rows behind App Home: counts, days, and preferences of members."""
