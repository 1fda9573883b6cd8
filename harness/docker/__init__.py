"""The stack in containers: images, containers with exact quotas, proof, clean-up."""
