"""Rows of Salesforce: connections, apps and sources."""
