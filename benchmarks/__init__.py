"""How fast and how large the tap is, beside a tap made from the SDK's template."""
