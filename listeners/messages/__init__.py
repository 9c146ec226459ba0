"""The buttons under a message, and the dialogs behind them."""
