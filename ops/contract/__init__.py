"""What a new contract would break for clients of the last release: its rules, and the command that holds them."""
