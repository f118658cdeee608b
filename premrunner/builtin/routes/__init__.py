"""The engine's blueprints, one a concern: parse the request, call what does the work, shape the answer."""
