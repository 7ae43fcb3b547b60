"""What tenants' events say: metrics, funnels, cohorts, attribution, reports, a live view."""
