"""Queries to Salesforce: SOQL statements, describes and the rows they return."""
