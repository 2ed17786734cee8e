"""What the nodes share through Redis, or Valkey."""
