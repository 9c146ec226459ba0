"""What we remember: every row, and the statements that write and read it."""
