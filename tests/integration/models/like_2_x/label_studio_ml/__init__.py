"""As much of label-studio-ml 2.x as models see of it, in our own words: it is on no package index."""
