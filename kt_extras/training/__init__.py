"""What touches a live Keras model while a trial runs."""
