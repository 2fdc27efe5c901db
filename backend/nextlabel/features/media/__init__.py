"""Pictures, recordings, series and documents: opened at the addresses that tasks name, each described by a row."""
