"""Notifications of changes and violations: notices are recorded in the store's journal, and sent from there."""
