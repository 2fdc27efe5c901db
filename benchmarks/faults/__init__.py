"""``python -m benchmarks.faults``: what can fail is made to fail, on a real Label Studio, and what is left is counted.

Every fault has a project of real texts, a `nextlabel up` with a home of its own, and a person who goes on labeling. It
ends when the labels in the tool are the labels trained on, each once, and the queue is the ranking of the version in
service.
"""
