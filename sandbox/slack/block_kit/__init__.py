"""Block Kit: validation of blocks and views, and the values that people enter. Pure."""
