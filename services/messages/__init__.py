"""What people read in Slack and what they can do with it: cards, actions, reminders."""
