"""The address manager's decisions, as pure changes of State."""
