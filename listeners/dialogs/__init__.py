"""The kit that dialogs are made of: Block Kit parts, form values, who may open them, and errors."""
