"""What we decide and do: the rules of routing and delivering, and everything we call out to."""
