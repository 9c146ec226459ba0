"""The job change: its model, the types of its fields, and validation errors in the words of the sender. Pure."""
