"""What is asked of Salesforce: SOQL statements, describes and the rows that come back."""
