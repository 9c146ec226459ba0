"""Ownership rules as data: their JSON form, validation and wording. Pure."""
