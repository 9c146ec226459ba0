"""SOQL: parsing a query and running it on the records of the org."""
