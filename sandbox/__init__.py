"""Local stand-ins for Slack and Salesforce, for the demo, the tests and the benchmarks."""
