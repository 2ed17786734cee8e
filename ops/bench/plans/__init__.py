"""`python -m ops.bench.plans`: how PostgreSQL does every query of the server on ten million messages."""
