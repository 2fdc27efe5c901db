"""Connectors: one adapter per labeling tool, found by entry points of the group ``nextlabel.connectors``."""
