"""The database: every table, and the statements that read and write them."""
