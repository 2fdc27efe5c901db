"""What is kept: labels, models, orders, connections and logs in SQL, artifacts of models in files."""
