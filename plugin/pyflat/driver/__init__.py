"""The network driver's decisions, as pure changes of State."""
