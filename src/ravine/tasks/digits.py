"""1,797 real handwritten digits, 8×8 grey pixels each, that scikit-learn carries."""

from ravine.tasks.task import Data, Split


def load() -> Data:
    """Rows of 64 pixels in [0, 1], split 60 : 20 : 20, the digits equally frequent in each part."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype("float32"), y.astype("int32")
    x_train, x_rest, y_train, y_rest = train_test_split(
        x, y, train_size=0.6, stratify=y, random_state=0
    )
    x_validation, x_test, y_validation, y_test = train_test_split(
        x_rest, y_rest, train_size=0.5, stratify=y_rest, random_state=0
    )
    return Data(Split(x_train, y_train), Split(x_validation, y_validation), Split(x_test, y_test))
