"""What operators and their tools read of a node, on a port of its own that only this machine reaches."""
