"""The REST API, the documentation pages and the web client's files."""
