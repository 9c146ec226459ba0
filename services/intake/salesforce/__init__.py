"""Reading job changes out of Salesforce records."""
