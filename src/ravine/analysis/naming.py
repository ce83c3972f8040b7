"""What a rule is called in a sentence."""

from ravine.rules import RULES


def title(rule: str) -> str:
    """A rule's name in a sentence: its class's, with what departs from the defaults."""
    name, bracket, rest = rule.partition("(")
    return (RULES[name].__name__ if name in RULES else name) + bracket + rest


def called(rule: str) -> str:
    """A rule inside a sentence.

    >>> called("sgd"), called("adam")
    ('gradient descent', 'Adam')
    """
    return "gradient descent" if rule == "sgd" else title(rule)
