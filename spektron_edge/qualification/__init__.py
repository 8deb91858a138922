"""Installation, operational and performance qualification: plan, measure, judge, report."""
