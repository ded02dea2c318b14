"""A simulator: random histories of searches on a disk and a clock that the test controls.

`disk` knows what is durable, `clock` is the time, `training` is a tuner whose model is arithmetic,
`model` says what should be, `history` runs the steps, and `shrink` finds the shortest history that
fails.
"""
