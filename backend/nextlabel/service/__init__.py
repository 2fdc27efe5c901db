"""The use cases that web, command line and worker call."""
