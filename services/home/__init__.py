"""What App Home shows, and the preferences of a workspace and of a member."""
