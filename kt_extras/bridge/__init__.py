"""KerasTuner's types in the words of the core, and back."""
