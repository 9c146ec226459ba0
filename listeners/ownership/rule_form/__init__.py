"""The dialog of one ownership rule: its fields, choices and validation."""
