"""What rules would do, and what became of their messages."""
