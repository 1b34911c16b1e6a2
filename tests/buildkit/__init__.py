"""Real builds: the engine for tests, the cases, and what was observed."""
