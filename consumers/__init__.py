"""What stands downstream of the topics: billing, operations, auditors. They know the published JSON, not our code."""
