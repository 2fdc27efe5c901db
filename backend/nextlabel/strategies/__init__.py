"""Query strategies, one family a file: which open task would teach the model most?"""
