"""The stack in containers, with the quotas of the specification."""
