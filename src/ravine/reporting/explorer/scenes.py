"""Short scenes: a state of the page, a question, and an answer of two sentences."""

from typing import NamedTuple


class Scene(NamedTuple):
    """``state`` is what stands behind # in the page's address."""

    name: str
    title: str
    state: str
    question: str
    answer: str


SCENES = (
    Scene(
        "zig-zag",
        "The ravine",
        "surface=elongated-bowl&start=-4,2&steps=60&rules=sgd(learning_rate=0.47)&rates=paper&t=12",
        "Why does gradient descent not walk straight to the minimum?",
        "The slope across the valley is far steeper than the slope along it, so each step crosses "
        "the floor and climbs the other wall. A larger learning rate would be thrown out, "
        "a smaller one would crawl.",
    ),
    Scene(
        "momentum",
        "Momentum rolls through",
        "surface=elongated-bowl&start=-4,2&steps=60&rules=sgd(learning_rate=0.47),"
        "momentum(learning_rate=0.8,momentum=0.6)&rates=paper&t=12&rule=momentum",
        "What changes if the walker remembers its last gradients?",
        "Across the valley the remembered gradients cancel, along it they add up. "
        "So momentum may take a rate that is nearly twice as large, and rolls along the floor.",
    ),
    Scene(
        "nesterov",
        "Nesterov looks ahead",
        "surface=worked-example&start=1,1&steps=60&rules=momentum(learning_rate=0.5),"
        "nesterov(learning_rate=0.5),nesterovasprinted(learning_rate=0.5)"
        "&rates=paper&t=6&rule=nesterov",
        "Where should the gradient be taken: here, ahead, or behind?",
        "Nesterov asks for the slope where momentum is about to arrive, w − αβV, and so brakes "
        "before it overshoots. The formula as it was printed, w + βV, asks uphill and behind the "
        "walker: at the same rate it diverges.",
    ),
    Scene(
        "adagrad",
        "AdaGrad walks straight, then stops",
        "surface=elongated-bowl&start=-4,2&steps=60&rules=sgd(learning_rate=0.4),"
        "adagrad(learning_rate=0.2)&rates=paper&t=30&rule=adagrad",
        "Can a rule walk straight down a ravine, and what does it cost?",
        "AdaGrad divides each coordinate by the root of all its squared gradients so far, so steep "
        "and gentle directions count alike and nothing zig-zags. The sum only grows: its steps "
        "shrink for ever, and it all but stops before the minimum.",
    ),
    Scene(
        "rmsprop",
        "RMSProp goes on",
        "surface=elongated-bowl&start=-4,2&steps=200&rules=adagrad(learning_rate=0.1),"
        "rmsprop(learning_rate=0.1)&rates=paper&t=60&rule=rmsprop",
        "What if AdaGrad could forget?",
        "RMSProp keeps a running mean of the squared gradients in place of their sum, so that its "
        "steps keep their length. It arrives, and then never quite rests: look at the end of its "
        "loss curve.",
    ),
    Scene(
        "adam",
        "Adam’s first steps have length α",
        "surface=beale&start=1,1.5&steps=80&rules=rmsprop(learning_rate=0.1),"
        "adam(learning_rate=0.1)&rates=paper&t=1&rule=adam",
        "How far does Adam go in its first step?",
        "By α in each coordinate, however steep the surface: the corrected mean over the corrected "
        "root mean square of one gradient is its sign. RMSProp, which corrects nothing, sets out "
        "three times as far.",
    ),
    Scene(
        "nadam",
        "Nadam",
        "surface=ravine&start=-4.2,-1&steps=150&rules=adam(learning_rate=0.3),"
        "nadam(learning_rate=0.3)&rates=paper&t=10&rule=nadam",
        "Does looking ahead help Adam too?",
        "Nadam lets the present gradient into the mean a step early, as Nesterov does for "
        "momentum. It turns into the bends of the valley a little sooner than Adam, and swings out "
        "less.",
    ),
    Scene(
        "saddle",
        "A saddle",
        "surface=saddle&start=-1.8,0.001&steps=120&rules=sgd(learning_rate=0.05),"
        "momentum(learning_rate=0.05),rmsprop(learning_rate=0.05),adam(learning_rate=0.05)"
        "&rates=paper&t=40&rule=adam",
        "Who leaves a saddle first?",
        "Off the pass the slope is a thousandth of the slope towards it, so gradient descent "
        "lingers there. The rules that scale each coordinate by its own gradients leave at once.",
    ),
    Scene(
        "too-high",
        "A learning rate too high",
        "surface=worked-example&start=1,1&steps=60&rules=sgd(learning_rate=0.2),"
        "momentum(learning_rate=0.2),adam(learning_rate=0.2)&rates=paper&t=8&rule=sgd",
        "What does a learning rate just above the limit look like?",
        "Across the steepest direction gradient descent multiplies its distance by 1 − αλ, and "
        "beyond α = 2/λ that is more than it had. Momentum and Adam are not at their limit yet: a "
        "rate means something else to every rule.",
    ),
    Scene(
        "noise",
        "Noise",
        "surface=noisy-bowl&start=-4,3&steps=300&rules=sgd(learning_rate=0.2),"
        "momentum(learning_rate=0.2),adagrad(learning_rate=1),adam(learning_rate=0.2)"
        "&rates=paper&t=150&rule=momentum",
        "What happens at the bottom when every slope is measured with noise?",
        "A constant step never settles: it hovers at a height that grows with the learning rate. "
        "AdaGrad, whose steps shrink, hovers lowest; for the others the learning rate has to be "
        "lowered on the way, and that is what schedules are for.",
    ),
)
