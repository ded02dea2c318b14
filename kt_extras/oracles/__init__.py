"""The layer that speaks KerasTuner."""
