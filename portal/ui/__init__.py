"""What every page needs: template tags, tones, middleware."""
