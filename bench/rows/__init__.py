"""The benchmarks, a module for each row of the table."""
