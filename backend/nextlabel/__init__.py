"""Label what teaches the model most, next."""
