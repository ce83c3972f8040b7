"""Functions of two variables, and walking down them: a surface is an entry of this list.

Minima are as published: S. Surjanovic & D. Bingham, Virtual Library of Simulation Experiments,
https://www.sfu.ca/~ssurjano/optimization.html, and M. Jamil & X.-S. Yang 2013, arXiv:1308.4008;
where those print six digits, all that a float holds stand here.
"""

import re

from ravine.errors import unknown
from ravine.explain.surfaces.parsing import WrongFormula
from ravine.explain.surfaces.surface import Minimum, Surface

__all__ = ["SURFACES", "Minimum", "Surface", "find"]

_LIBRARY = "https://www.sfu.ca/~ssurjano"
_LIST = (
    Surface(
        "worked-example",
        "The worked example",
        "5*x**2 + 2*x*y + 3*y**2",
        window=(-1.5, 1.5, -1.5, 1.5),
        start=(1.0, 1.0),
        minima=(Minimum(0.0, 0.0, 0.0),),
        about="A bowl; at (1, 1) its gradient is [12, 8].",
        source="Optimizing Deep Neural Nets with TensorFlow, 2021",
    ),
    Surface(
        "elongated-bowl",
        "Elongated bowl",
        "0.1*x**2 + 2*y**2",
        window=(-5.0, 5.0, -3.0, 3.0),
        start=(-4.0, 2.0),
        minima=(Minimum(0.0, 0.0, 0.0),),
        about="Twenty times as steep one way: gradient descent walks an L, AdaGrad straight.",
        source="A. Zhang et al., Dive into Deep Learning, https://d2l.ai, section 12.7",
    ),
    Surface(
        "ravine",
        "A narrow curved valley",
        "0.05*x**2 + 5*(y - sin(x))**2",
        window=(-5.0, 5.0, -3.0, 3.0),
        start=(-4.2, -1.0),
        minima=(Minimum(0.0, 0.0, 0.0),),
        about="A gentle floor between steep walls, with bends: momentum rolls along it.",
        source="made for ravine",
    ),
    Surface(
        "rosenbrock",
        "Rosenbrock's valley",
        "(1 - x)**2 + 100*(y - x**2)**2",
        window=(-2.0, 2.0, -1.0, 3.0),
        start=(-1.2, 1.0),
        minima=(Minimum(1.0, 1.0, 0.0),),
        about="The valley is found at once, its lowest point hardly ever.",
        source=f"H. H. Rosenbrock 1960, doi:10.1093/comjnl/3.3.175; {_LIBRARY}/rosen.html",
    ),
    Surface(
        "beale",
        "Beale's function",
        "(1.5 - x + x*y)**2 + (2.25 - x + x*y**2)**2 + (2.625 - x + x*y**3)**2",
        window=(-4.5, 4.5, -4.5, 4.5),
        start=(1.0, 1.5),
        minima=(Minimum(3.0, 0.5, 0.0),),
        about="Flat in the middle, cliffs at the corners.",
        source=f"E. M. L. Beale 1958; {_LIBRARY}/beale.html",
    ),
    Surface(
        "himmelblau",
        "Himmelblau's function",
        "(x**2 + y - 11)**2 + (x + y**2 - 7)**2",
        window=(-5.0, 5.0, -5.0, 5.0),
        start=(-0.5, -1.5),
        minima=(
            Minimum(3.0, 2.0, 0.0),
            Minimum(-2.805118086952745, 3.131312518250573, 0.0),
            Minimum(-3.779310253377747, -3.2831859912861696, 0.0),
            Minimum(3.5844283403304917, -1.8481265269644036, 0.0),
        ),
        about="Four equal minima: where a walk ends is decided where it starts.",
        source="D. M. Himmelblau 1972, Applied Nonlinear Programming; arXiv:1308.4008, 65",
    ),
    Surface(
        "booth",
        "Booth's function",
        "(x + 2*y - 7)**2 + (2*x + y - 5)**2",
        window=(-10.0, 10.0, -10.0, 10.0),
        start=(-6.0, -3.0),
        minima=(Minimum(1.0, 3.0, 0.0),),
        about="A bowl askew to the axes: a rule that scales each axis alone cannot round it.",
        source=f"{_LIBRARY}/booth.html; arXiv:1308.4008, 17",
    ),
    Surface(
        "matyas",
        "Matyas's function",
        "0.26*(x**2 + y**2) - 0.48*x*y",
        window=(-10.0, 10.0, -10.0, 10.0),
        start=(-8.0, 3.0),
        minima=(Minimum(0.0, 0.0, 0.0),),
        about="A flat diagonal valley, 25 times as steep across as along.",
        source=f"{_LIBRARY}/matya.html; arXiv:1308.4008, 71",
    ),
    Surface(
        "three-hump-camel",
        "Three-hump camel",
        "2*x**2 - 1.05*x**4 + x**6/6 + x*y + y**2",
        window=(-2.5, 2.5, -2.5, 2.5),
        start=(-2.0, 1.8),
        minima=(Minimum(0.0, 0.0, 0.0),),
        about="Two local optima beside the lowest: gradient descent stays where it falls.",
        source=f"{_LIBRARY}/camel3.html; arXiv:1308.4008, 29",
    ),
    Surface(
        "styblinski-tang",
        "Styblinski–Tang",
        "((x**4 - 16*x**2 + 5*x) + (y**4 - 16*y**2 + 5*y))/2",
        window=(-5.0, 5.0, -5.0, 5.0),
        start=(0.5, 4.0),
        minima=(Minimum(-2.903534027771177, -2.903534027771177, -78.33233140754282),),
        about="Four basins of different depth.",
        source="M. A. Styblinski & T.-S. Tang 1990, doi:10.1016/0893-6080(90)90029-K; "
        f"{_LIBRARY}/stybtang.html",
    ),
    Surface(
        "rastrigin",
        "Rastrigin's function",
        "20 + x**2 + y**2 - 10*(cos(2*pi*x) + cos(2*pi*y))",
        window=(-5.12, 5.12, -5.12, 5.12),
        start=(-3.3, 2.4),
        minima=(Minimum(0.0, 0.0, 0.0),),
        about="A bowl covered with a hundred local optima.",
        source=f"L. A. Rastrigin 1974; {_LIBRARY}/rastr.html",
    ),
    Surface(
        "ackley",
        "Ackley's function",
        "-20*exp(-0.2*sqrt(0.5*(x**2 + y**2))) - exp(0.5*(cos(2*pi*x) + cos(2*pi*y))) + e + 20",
        window=(-5.0, 5.0, -5.0, 5.0),
        start=(-3.4, 2.6),
        minima=(Minimum(0.0, 0.0, 0.0),),
        about="Nearly flat and full of dents, with one deep hole in which the slope has no value.",
        source=f"D. H. Ackley 1987; {_LIBRARY}/ackley.html",
    ),
    Surface(
        "goldstein-price",
        "Goldstein–Price",
        "(1 + (x + y + 1)**2*(19 - 14*x + 3*x**2 - 14*y + 6*x*y + 3*y**2))"
        "*(30 + (2*x - 3*y)**2*(18 - 32*x + 12*x**2 + 48*y - 36*x*y + 27*y**2))",
        window=(-2.0, 2.0, -2.0, 2.0),
        start=(-1.2, 0.6),
        minima=(Minimum(0.0, -1.0, 3.0),),
        about="From 3 to a million within two units: one learning rate cannot fit all of it.",
        source=f"A. A. Goldstein & J. F. Price 1971; {_LIBRARY}/goldpr.html",
    ),
    Surface(
        "saddle",
        "A saddle",
        "x**2 - y**2",
        window=(-2.0, 2.0, -2.0, 2.0),
        start=(-1.8, 0.001),
        about="Down to the pass, and nearly no slope off it: who leaves first?",
        source="Y. N. Dauphin et al. 2014, on why it matters: arXiv:1406.2572",
    ),
    Surface(
        "monkey-saddle",
        "A monkey saddle",
        "x**3 - 3*x*y**2",
        window=(-1.5, 1.5, -1.5, 1.5),
        start=(1.2, 0.01),
        about="Three ways down from a point with no curvature at all.",
        source="D. Hilbert & S. Cohn-Vossen 1952, Geometry and the Imagination, section 29",
    ),
    Surface(
        "plateau",
        "A plateau",
        "1 - exp(-(x**2 + y**2)/4)",
        window=(-5.0, 5.0, -5.0, 5.0),
        start=(3.5, 2.5),
        minima=(Minimum(0.0, 0.0, 0.0),),
        about="Next to no slope where the walk begins: gradient descent stands, Adam walks.",
        source="made for ravine",
    ),
    Surface(
        "noisy-bowl",
        "A noisy bowl",
        "0.5*x**2 + 2*y**2",
        window=(-5.0, 5.0, -4.0, 4.0),
        start=(-4.0, 3.0),
        minima=(Minimum(0.0, 0.0, 0.0),),
        noise=2.0,
        about="Each step sees the slope with noise of standard deviation 2, as from a mini-batch.",
        source="made for ravine",
    ),
)
SURFACES: dict[str, Surface] = {surface.name: surface for surface in _LIST}


def find(text: str) -> Surface:
    """The surface of that name, or of that formula in x and y.

    Raises ``InvalidArgument``: for a word that is neither with the nearest name, for a formula that
    cannot be read with a caret under the place.

    >>> find("x**2 + y**2").gradient(1.0, 2.0)
    (2.0, 4.0)
    """
    if text in SURFACES:
        return SURFACES[text]
    try:
        return Surface.of(text)
    except WrongFormula:
        if re.fullmatch(r"[^\W\d_]{3,}([- _]?\w)*", text):
            raise unknown("surface", text, SURFACES) from None
        raise
