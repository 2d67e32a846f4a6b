"""Incidents with known alarms: how good are the alarms? `gatepulse alarms evaluate` answers.

Reading order: traffic (events to make an incident from), labelled (the incidents, and what should be raised), stage
(plays them through the kernels), evaluate (compares what was raised with what should have been).
"""
