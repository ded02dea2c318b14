"""Search for a small network that classifies handwritten digits.

A search with early stopping, its results, the best model, and its accuracy on test data.  All files
are written to runs/quickstart.
"""

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kt_extras as kte

images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1) / 16
x, x_test, y, y_test = train_test_split(images, labels, test_size=500, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, test_size=400, random_state=0)


def build(hp):
    """Return a network of one to three convolutions, each with its own width."""
    depth = hp.Int("depth", 1, 3)
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for layer in (1, 2, 3):
        with hp.conditional_scope("depth", list(range(layer, 4))):  # filters_3: only at depth 3
            if layer <= depth:
                filters = hp.Int(f"filters_{layer}", 8, 32, step=2, sampling="log")
                model.add(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
                model.add(keras.layers.MaxPooling2D(2))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dropout(hp.Float("dropout", 0, 0.5)))
    model.add(keras.layers.Dense(10, activation="softmax"))
    rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log")
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


tuner = kte.Search(
    build,
    "val_accuracy",
    max_trials=20,
    pruner=kte.MedianPruner(n_warmup_steps=2),
    seed=0,
    directory="runs",
    project_name="quickstart",
)
board = keras.callbacks.TensorBoard("runs/quickstart/logs")
tuner.search(x, y, validation_data=(x_val, y_val), epochs=10, batch_size=64, callbacks=[board])

print("\nThe best trials:")
for row in sorted(tuner.results(), key=lambda row: row["score"] or 0, reverse=True)[:5]:
    print("{number:4}  {state:9}  {score:.4f}  {epochs:2} epochs  {seconds:.1f} s".format(**row))
print("The best hyperparameters:", tuner.get_best_hyperparameters()[0].values)
_, accuracy = tuner.get_best_models()[0].evaluate(x_test, y_test, verbose=0)
print(f"Accuracy on {len(y_test)} test digits: {accuracy:.3f}")
print("To see the search in TensorBoard: tensorboard --logdir runs/quickstart/logs")
print("To continue, run this with a larger max_trials; to start again, delete runs/quickstart.")
