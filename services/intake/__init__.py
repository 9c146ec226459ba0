"""Job changes come in: keys, rate limits, validation and storing."""
