"""Sends each change of an alarm to group robots once: the topic `alarms` in, messages to WeCom, DingTalk, Feishu out.

Reading order: options (which robot serves which zone), follower and changes (read the topic), alerts, platform and
intake (the platform's own alerts, from Alertmanager), outbox (nothing lost, nothing sent twice), message and rate_limit
(what goes into the next message, and when), robots (what each kind of robot wants, and what it answers), sender
(sends), metrics, run. The words are in `dashboards/messages`.
"""
