"""Calling Salesforce: sessions, login, connecting, errors."""
