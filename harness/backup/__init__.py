"""The backup policy, exercised: a full snapshot every day, so many kept, restores tried."""
