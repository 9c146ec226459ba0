"""The engine: routes accepted job changes and posts them, with retries."""
