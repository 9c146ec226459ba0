"""Job changes come in over HTTP, and admins manage keys and field mappings."""
