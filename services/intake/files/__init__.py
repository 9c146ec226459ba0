"""Importing job changes from CSV, JSON and JSON Lines files."""
