"""How a shop does: CTR, CVR, GMV per shopper, retention, paying rate and stickiness, from the event log."""
