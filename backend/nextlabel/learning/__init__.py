"""How a project is learned in one turn of the loop: by nextlabel's own estimators, or by a team's own model.

Each is a `Workbench`: it knows what is labeled, makes a model of it, and says what the model thinks of the open tasks.
"""
