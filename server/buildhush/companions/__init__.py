"""Files beside the Dockerfile: .dockerignore, compose, bake, workflows, scripts."""
