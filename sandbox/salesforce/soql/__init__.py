"""SOQL: parsing a statement and answering it from the records of the org."""
