"""Task data → numbers, one file per modality."""
