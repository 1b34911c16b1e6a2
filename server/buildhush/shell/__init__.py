"""Shell text to our own IR; a strict guard for the scripts that fixes write."""
