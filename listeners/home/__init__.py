"""App Home: the tab itself and the dialogs behind its settings."""
