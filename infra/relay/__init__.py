"""Sends each change of an alarm to group robots once: the topic `alarms` in, messages to WeCom, DingTalk, Feishu out.

Reading order: options (which robot serves which zone), follower (reads the topic), platform (the platform's own alerts,
from Alertmanager), outbox (nothing lost, nothing sent twice), robots (what each kind of robot wants, and what it
answers), sender (what goes into the next message, and when), metrics, run. The words are in `dashboards/messages`.
"""
