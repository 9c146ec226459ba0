"""Rows of ownership: rule sets, unmatched owners, pools and mutes."""
