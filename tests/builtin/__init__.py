"""The built-in engine, as units and as a whole process."""
