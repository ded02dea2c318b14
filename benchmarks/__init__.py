"""Side by side with other libraries; not part of the package."""
