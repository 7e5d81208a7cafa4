"""The Brevo e-commerce orders contract, mounted at /v3 (docs/dialects/brevo.md)."""
