"""Admins edit ownership rules, try them, and match unmatched owners."""
