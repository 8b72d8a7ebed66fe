"""The SDK's stream and tap, faster and safer; the only place for private SDK names."""
