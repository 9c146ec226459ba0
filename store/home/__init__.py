"""Data behind App Home: counts and the preferences of members."""
