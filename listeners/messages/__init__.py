"""The buttons of a message and the dialogs behind them."""
