"""The ground floor: keys, envelopes, rosters. Runs alone on an air-gapped machine; imports nothing from ``channel``."""
