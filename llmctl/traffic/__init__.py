"""What the user's application asked models, read from its logs or recorded: imported, looked at, replayed."""
