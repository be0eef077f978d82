"""Model: hazards learned in time order, judged, calibrated and packed as text."""
