"""Noise that is counted, not drawn in turn: the same in Python and JavaScript, bit for bit.

Four 32-bit hashes of (seed, step, coordinate, 0 … 3), as fractions of 1, are summed; the sum is
shifted to mean 0 and scaled to variance 1 (an Irwin–Hall distribution, near the normal, within
±2√3). Sums of 32-bit fractions are exact, so that one product is all that is rounded. The hash is
"lowbias32" of C. Wellons, https://nullprogram.com/blog/2018/07/31/.
"""

_WORD = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9  # 2³² over the golden ratio: keeps a 0 from being hashed to 0
_ROOT_3 = 1.7320508075688772

# The same in JavaScript, to stand beside notation.javascript.HELPERS.
JAVASCRIPT = """\
function hash(x) {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
function noise(seed, step, coordinate) {
  const place = hash(hash(seed + 0x9e3779b9 >>> 0) + step >>> 0);
  let sum = 0;
  for (let k = 0; k < 4; k++) sum += hash(place + 4 * coordinate + k >>> 0) / 4294967296;
  return (sum - 2) * 1.7320508075688772;
}
"""


def noise(seed: int, step: int, coordinate: int) -> float:
    """A number of mean 0 and variance 1; whole arguments from 0 to 2³² − 1.

    >>> noise(0, 1, 0), noise(0, 1, 1)
    (2.323719165300157, -1.240119841331373)
    """
    place = _hash((_hash((seed + _GOLDEN) & _WORD) + step) & _WORD)
    drawn = (_hash((place + 4 * coordinate + k) & _WORD) / 2.0**32 for k in range(4))
    return (sum(drawn, 0.0) - 2) * _ROOT_3


def _hash(x: int) -> int:
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & _WORD
    x = ((x ^ (x >> 15)) * 0x846CA68B) & _WORD
    return x ^ (x >> 16)
