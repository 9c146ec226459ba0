"""The HTTP server: routes, guards, health, metrics and logs."""
