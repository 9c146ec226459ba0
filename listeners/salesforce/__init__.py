"""Admins connect Salesforce and choose where job changes are read in it."""
