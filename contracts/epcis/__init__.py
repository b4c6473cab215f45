"""EPCIS 2.0 (GS1, 2022) as it crosses the wire: documents, their vocabulary, and event hash ids."""
