"""Bot tokens: installing the app with one, and renewing those that expire."""
