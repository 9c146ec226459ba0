"""Calling Salesforce: sessions, logging in, connecting, errors."""
