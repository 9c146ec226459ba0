"""A Slack workspace and a Salesforce org that live on this machine, to try, to test and to measure against."""
