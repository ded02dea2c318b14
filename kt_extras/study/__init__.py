"""A search without Keras: asks for points and is told what has come of them."""
