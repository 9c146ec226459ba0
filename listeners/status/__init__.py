"""The slash command /usergems-status and the dialogs it opens."""
