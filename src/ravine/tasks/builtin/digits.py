"""1,797 real handwritten digits, 8×8 grey pixels each, that scikit-learn carries."""

from ravine.tasks.tables import Rows, Table


def read() -> Rows:
    """64 pixels in [0, 1] a row, and the digit, int32; the digits equally frequent in each part."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    y = y.astype("int32")
    return Rows((x / 16).astype("float32"), y, y)


load = Table(read)
