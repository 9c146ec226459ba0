"""The tables of the engine: routing batches, lanes, deliveries, posts and decisions."""
