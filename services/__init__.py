"""Decisions and actions: routing, delivering, and everything outside that the app calls."""
