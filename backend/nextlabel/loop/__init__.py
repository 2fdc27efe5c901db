"""Active learning on one page (`turn`): first a tool is read (`pulling`), in the end its queue ordered (`ordering`)."""
