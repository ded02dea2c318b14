"""What can be said of a search from its records alone, without its model, Keras or TensorFlow."""
