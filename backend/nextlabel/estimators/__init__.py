"""Models, one file per kind of target. An estimator is fitted once and never changes afterwards."""
