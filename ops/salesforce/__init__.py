"""What has to be deployed to Salesforce: the permission set of the connected user, and the External Client App."""
