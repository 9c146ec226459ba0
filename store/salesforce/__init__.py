"""Salesforce connections, External Client Apps and sources of job changes in the database."""
