"""Convert KerasTuner's types to those of `kt_extras.search`, and back."""
