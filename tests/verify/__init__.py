"""The canary build without an engine: canaries, outline, images, plan."""
