"""Labels: templates, their layout, and what prints them: ZPL for label printers, PDF for others."""
