"""Following messages through the house: where they are seen, and what is kept of that while somebody follows."""
