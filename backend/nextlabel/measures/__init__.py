"""How unsure a model is, how far models disagree, and what a model predicts for each target: pure, vectorised."""
