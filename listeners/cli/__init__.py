"""The terminal: every verb of `python app.py`."""
