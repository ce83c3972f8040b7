"""Engines that train runs: compiled JAX, PyTorch and Keras as they are; batches and programs."""
