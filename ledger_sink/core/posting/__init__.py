"""What a document leads to: movements, vouchers and what stock is worth. Pure."""
