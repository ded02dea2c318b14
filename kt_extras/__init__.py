"""Search, early stopping and training pieces on top of KerasTuner."""
