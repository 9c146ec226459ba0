"""The verbs that start something: serve, web, worker, migrate and demo."""
