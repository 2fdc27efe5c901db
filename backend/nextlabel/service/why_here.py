"""Why a task stands where it does in an order, in words for a person.

What a model hesitates between is a guess, and a task of which nothing is said stands out: the words about single tasks
are for those who do not annotate. `of_order` tells nothing of any of them.
"""

from __future__ import annotations

from nextlabel.labeling import quoted
from nextlabel.labeling.ranking import Group
from nextlabel.ports.state import OrderFacts, TaskFacts
from nextlabel.strategies import finding

AUDIT = "an audit task: drawn at random, to measure; no strategy chose it"
_HESITATES = 0.5  # between the chances of two answers, below which a model is unsure between them
_DOUBTS = 0.25  # from one half, of a label that may be given or not
_LONGEST = 40  # characters of an answer

_BY_NAME = {
    "random": "drawn at random",
    "adaptive": "what the model is unsure of comes first, and among it some like nothing that is labeled",
}
_BY_GROUP = {
    Group.UNSURE: "what the model is unsure of comes first",
    Group.COVERING: "what stands for tasks like none that is labeled comes first",
    Group.BOTH: "what the model is unsure of comes first, as far as it differs",
    Group.LEARNING: "what would change the model most comes first",
}


def of_order(facts: OrderFacts | None) -> str:
    """How the order was made; "" where that is not known."""
    if facts is None or facts.how == "outside":
        return "what the other model is unsure of comes first" if facts else ""
    if facts.how == "cold":
        return "while labels are few, what stands for the others comes first"
    otherwise = f"as '{facts.strategy}' chose"
    return _BY_NAME.get(facts.strategy, _BY_GROUP.get(finding.group(facts.strategy), otherwise))


def of_task(facts: OrderFacts, task: TaskFacts | None) -> str:
    """Of a task of the order's window that is no audit task; "" where nothing was kept of it."""
    if task is None:
        return ""
    if facts.how == "outside":
        return f"the other model is unsure of it ({task.uncertainty:.0%})"
    unlike = "like nothing labeled yet" if facts.how == "cold" and not task.nearest else ""
    if task.nearest is not None and (task.unlike or facts.how == "cold"):
        unlike = f"like nothing labeled: the nearest is {task.nearest:.0%} alike"
    if facts.strategy == "random":
        return "drawn at random"
    if not facts.informative:
        return unlike or "the model knows nothing yet"
    doubt = _doubt(task)
    if task.explores:
        doubt = f"chosen to explore, whatever the model expects: {doubt}"
    return "; ".join(filter(None, (unlike, doubt) if facts.how == "cold" else (doubt, unlike)))


def _doubt(task: TaskFacts) -> str:
    named = [(quoted(name, _LONGEST), chance) for name, chance in task.answers]
    match named:
        case [(one, p), (other, q)] if p - q < _HESITATES:
            return f"unsure between {one} ({p:.0%}) and {other} ({q:.0%})"
        case [(one, p), *_] if len(named) == 2:
            return f"rather {one} ({p:.0%})"
        case [(one, p)]:
            words = "unsure whether" if abs(p - 0.5) < _DOUBTS else "nearest to doubt whether"
            return f"{words} {one} ({p:.0%})"
        case _:
            return f"unsure of it ({task.uncertainty:.0%})"
