"""Block Kit parts, form values, dialogs and error handling that the listeners share."""
