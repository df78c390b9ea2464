"""Stream processors: read models that follow the events, and the watch that asks the domain when a limit runs out."""
