"""What shoppers' ratings say: shares with intervals by group, what detractors say, and alerts on a drop."""
