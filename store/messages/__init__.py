"""Actions on messages, their history, and notices to admins."""
