"""Field mappings: how the rows of a sender become job changes, and those that workspaces define."""
