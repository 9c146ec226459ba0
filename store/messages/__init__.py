"""Rows of what people did with messages, and of redraws and reminders."""
