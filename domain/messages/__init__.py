"""What messages are about besides job changes: notices to admins, and the buttons that admins add to cards. Pure."""
