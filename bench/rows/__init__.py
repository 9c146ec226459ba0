"""One module per benchmark, each with a `measure` that returns its rows."""
