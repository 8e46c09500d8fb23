"""The use cases that are neither HTTP nor terminal: check, policies, audit, notifications, sync, the life of a service, settings."""
