"""Tells people of alarms: Alertmanager's webhooks in, messages of group robots (WeCom, DingTalk, Feishu, webhook) out.

Reading order: notice (what is told, and how it is read), options (which robot is told what), outbox (nothing twice,
nothing lost), pace and letter (twenty messages a minute, and what becomes of the rest), advice, plain and wording (the
text), robots (what each kind of robot wants to hear, and what it answers), courier (sends), intake (takes alerts in),
numbers (metrics), run.
"""
